// The entries of build-push's inputs, each parsed to what the build takes. No fault repeats a value that may be secret.
import { type ImageReference, isTag, parseReference } from '../../../src/image/reference.ts'
import { semanticVersion } from '../../../src/image/version.ts'
import { ExpectedFailure } from '../../../src/runner/failure.ts'
import { InputFault } from '../../../src/runner/inputs.ts'

/** One repository, without tag and digest. */
export function parseRepository(raw: string): ImageReference {
  let reference: ImageReference
  try {
    reference = parseReference(raw)
  } catch (error) {
    throw error instanceof ExpectedFailure ? new InputFault(error.message) : error
  }
  if (reference.tag !== undefined || reference.digest !== undefined)
    throw new InputFault(`"${raw}" has a tag or digest; give the repository alone, the tag is made by tag-scheme`)
  return reference
}

export function parseTag(raw: string): string {
  if (!isTag(raw))
    throw new InputFault(`"${raw}" is no tag (up to 128 letters, digits, "_", "." and "-", the first no "." or "-")`)
  return raw
}

/** `1.4.2` of `1.4.2` or `v1.4.2`; empty when none was given. */
export function parseVersion(raw: string): string {
  const version = raw === '' ? '' : semanticVersion(raw)
  if (version === undefined) throw new InputFault(`"${raw}" is no semantic version such as 1.4.2 or 2.0.0-rc.1`)
  return version
}

export function parsePlatform(raw: string): string {
  if (raw.includes(',')) throw new InputFault(`"${raw}" has a comma in it; write one platform a line`)
  if (!/^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9.]+)?$/.test(raw))
    throw new InputFault(`"${raw}" is no platform such as linux/amd64 or linux/arm/v7`)
  return raw
}

export function parseBuildArg(raw: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_.-]*(?:=|$)/.test(raw)) throw new InputFault('an entry is not written NAME=value')
  return raw
}

export function parseLabel(raw: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._/-]*=/.test(raw)) throw new InputFault(`"${raw}" is not written name=value`)
  return raw
}

export function parseSecret(raw: string): { readonly id: string; readonly value: string } {
  const [, id = '', value = ''] = /^([A-Za-z0-9_.-]+)=([\s\S]*)$/.exec(raw) ?? []
  if (id === '')
    throw new InputFault(
      'an entry is not written id=value; a secret of several lines can be given as base64 and decoded in the Dockerfile',
    )
  if (value === '') throw new InputFault(`the secret ${id} is empty; is it set, and may this workflow read it?`)
  return { id, value }
}

/** The values of the secrets, to be masked. A line that is no `id=value` is taken for the rest of a secret and masked whole. */
export function secretValues(raw: string): readonly string[] {
  return raw
    .split(/\r?\n/)
    .map(line => line.trim().replace(/^[A-Za-z0-9_.-]+=/, ''))
    .filter(value => value !== '')
}
