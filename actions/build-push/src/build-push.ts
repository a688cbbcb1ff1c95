// build-push from its inputs to its outcome.

import { publish } from '../../../src/image/publish.ts'
import { fullRepository } from '../../../src/image/reference.ts'
import type { Outcome, Runner } from '../../../src/runner/action.ts'
import { formatDuration } from '../../../src/runner/duration.ts'
import { foreignLine } from '../../../src/runner/foreign-text.ts'
import type { BuildPushInputs, definition } from './definition.ts'

type Output = (typeof definition.outputs)[number]

export async function buildPush(inputs: BuildPushInputs, runner: Runner): Promise<Outcome<Output>> {
  const started = Date.now()
  const published = await publish(
    {
      image: inputs.image,
      context: inputs.context,
      file: inputs.file,
      target: inputs.target,
      platforms: inputs.platforms,
      buildArgs: inputs['build-args'],
      secrets: inputs.secrets,
      labels: inputs.labels,
      version: inputs.version,
      tagScheme: inputs['tag-scheme'],
      tag: inputs.tag,
      extraTags: inputs['extra-tags'],
      push: inputs.push,
      ifExists: inputs['if-exists'],
      cache: inputs.cache,
      // ghcr.io takes any name beside a token, and the one that started the run is the right one.
      username: inputs.username || (runner.env['GITHUB_ACTOR'] ?? 'github'),
      password: inputs.password,
      ecrCreateRepository: inputs['ecr-create-repository'],
    },
    {
      env: runner.env,
      log: runner.log,
      temporary: runner.temporary,
      workspace: runner.workspace,
      signal: runner.cancelled,
      now: Date.now,
    },
  )
  const { result, message, digest } = published
  return {
    result,
    message,
    green: true,
    outputs: {
      version: published.version ?? '',
      tag: published.tag,
      image: published.image,
      digest: digest ?? '',
      'image-ref': digest === undefined ? '' : `${fullRepository(inputs.image)}@${digest}`,
    },
    summary: summaryOf({ ...published, milliseconds: Date.now() - started }),
  }
}

/** The Markdown table for the job summary. */
export function summaryOf(facts: {
  readonly result: 'pushed' | 'skipped'
  readonly image: string
  readonly tag: string
  readonly revision: string | undefined
  readonly digest: string | undefined
  readonly milliseconds: number
}): string {
  const row = [
    code(facts.image.slice(0, -facts.tag.length - 1)),
    code(facts.tag),
    code(facts.digest ?? ''),
    code(facts.revision?.slice(0, 12) ?? ''),
    facts.result,
    formatDuration(facts.milliseconds),
  ]
  return [
    '### Image',
    '',
    '| Image | Tag | Digest | Commit | Result | Time |',
    '|---|---|---|---|---|---|',
    `| ${row.join(' | ')} |`,
    '',
  ].join('\n')
}

function code(text: string): string {
  return text === '' ? '' : `\`${foreignLine(text).replace(/[`|]/g, '')}\``
}
