// What build-push takes and gives. Loaded before anything else: nothing heavy is imported here.
import { CACHES } from '../../../src/image/caches.ts'
import { IF_EXISTS } from '../../../src/image/existing-tag.ts'
import { TAG_SCHEMES } from '../../../src/image/version.ts'
import type { ActionDefinition } from '../../../src/runner/action.ts'
import { boolean, choice, type InputValues, list, text } from '../../../src/runner/inputs.ts'
import {
  parseBuildArg,
  parseLabel,
  parsePlatform,
  parseRepository,
  parseSecret,
  parseTag,
  parseVersion,
  secretValues,
} from './build-inputs.ts'

const inputs = {
  image: text({ required: true, parse: parseRepository }),
  context: text({ default: '.' }),
  file: text(),
  target: text(),
  platforms: list({ each: parsePlatform }),
  'build-args': list({ each: parseBuildArg }),
  secrets: list({ each: parseSecret, secret: secretValues }),
  labels: list({ each: parseLabel }),
  version: text({ parse: parseVersion }),
  'tag-scheme': choice(TAG_SCHEMES, { default: 'semver-sha' }),
  tag: text({ parse: raw => (raw === '' ? '' : parseTag(raw)) }),
  'extra-tags': list({ each: parseTag }),
  'allow-latest': boolean({ default: 'false' }),
  push: boolean({ default: 'true' }),
  'if-exists': choice(IF_EXISTS, { default: 'skip' }),
  cache: choice(CACHES, { default: 'none' }),
  username: text(),
  password: text({ secret: true }),
  'ecr-create-repository': boolean({ default: 'false' }),
}

export type BuildPushInputs = InputValues<typeof inputs>

function check(values: BuildPushInputs): readonly string[] {
  const faults: string[] = []
  const custom = values['tag-scheme'] === 'custom'
  if (custom && values.tag === '') faults.push('tag: is required with tag-scheme: custom')
  if (!custom && values.tag !== '') faults.push(`tag: is only used with tag-scheme: custom, not with ${values['tag-scheme']}`)
  if (!values['allow-latest'])
    for (const [name, tags] of [
      ['tag', [values.tag]],
      ['extra-tags', values['extra-tags']],
    ] as const)
      if (tags.includes('latest'))
        faults.push(`${name}: "latest" says nothing of what it holds and was refused; leave it out, or set allow-latest: true`)
  if (values.password !== '' && values.username === '' && values.image.registry !== 'ghcr.io')
    faults.push('username: is required with password')
  if (values.username !== '' && values.password === '') faults.push('password: is required with username')
  return faults
}

export const definition = {
  name: 'build-push',
  inputs,
  outputs: ['result', 'reason', 'message', 'version', 'tag', 'image', 'digest', 'image-ref', 'summary'],
  check,
  notYet: [
    'components',
    'changed-only',
    'scan',
    'scan-fail-on',
    'scan-timeout',
    'scan-allow',
    'sbom',
    'provenance',
    'sign',
    'ecr-immutable-tags',
    'ecr-scan-on-push',
    'ecr-keep-images',
  ],
} as const satisfies ActionDefinition<typeof inputs, string>
