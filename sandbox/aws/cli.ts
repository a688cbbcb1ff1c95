// The AWS CLI, for tests that drive the simulator by it: the one on PATH, or else installed once from PyPI into the sandbox's folder.
import { findProgram, isExecutable, run } from '../command.ts'
import { installMissing } from '../packages.ts'
import { say, withSignOfLife } from '../progress.ts'
import { statePath } from '../state.ts'

/** Pinned, so that what the tests see changes only with this line. */
const PACKAGE = 'awscli==1.46.3'

/** Path of `aws`. @throws Error where it can be neither found nor installed */
export async function provideAwsCli(part: string): Promise<string> {
  const folder = statePath('tools', 'awscli')
  const installed = `${folder}/bin/aws`
  const onPath = findProgram('aws')
  // A version manager's shim is on PATH also where nothing is behind it.
  if (onPath !== undefined && (await run([onPath, '--version'])).code === 0) return onPath
  if (isExecutable(installed)) return installed
  say(part, `no aws on PATH; installing ${PACKAGE} from PyPI`)
  await installMissing(part, [{ provides: 'python3', package: 'python3-venv' }])
  for (const argv of [
    ['python3', '-m', 'venv', folder],
    [`${folder}/bin/pip`, 'install', '--quiet', '--disable-pip-version-check', PACKAGE],
  ]) {
    const result = await withSignOfLife(part, () => `still installing ${PACKAGE}`, run(argv))
    if (result.code !== 0) throw new Error(`${argv.join(' ')} ended with ${result.code}:\n${result.stderr.trim().slice(-2000)}`)
  }
  return installed
}
