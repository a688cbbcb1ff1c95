// What a release is named by.
import { createHash } from 'node:crypto'
import { ExpectedFailure } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'

/** With a release's number, or `.deploy`, it still is a label's value and a Secret's name (63 characters at most). */
const LONGEST = 50
const CHECKSUM = 6

/**
 * The input `app`, else the repository's own name, as Kubernetes takes it for names and labels: small letters, digits and dashes. Two names that only
 * this makes equal are kept apart by a checksum: `my.app` and `my_app` are not one app.
 * @throws ExpectedFailure InvalidInput when nothing is left of the name
 */
export function appName(given: string, env: NodeJS.ProcessEnv): string {
  const name = given !== '' ? given : ((env['GITHUB_REPOSITORY'] ?? '').split('/')[1] ?? 'app')
  const small = name.toLowerCase()
  const plain = small.replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '')
  if (plain === '')
    throw new ExpectedFailure(
      'InvalidInput',
      `app: "${foreignLine(name, 100)}" holds no letter and no digit that a name in Kubernetes may have; give the input app such as web-shop.`,
    )
  if (plain === small && plain.length <= LONGEST) return plain
  const checksum = createHash('sha256').update(small).digest('hex').slice(0, CHECKSUM)
  return `${plain.slice(0, LONGEST - CHECKSUM - 1).replace(/-+$/, '')}-${checksum}`
}
