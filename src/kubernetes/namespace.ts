// The name of a namespace, which becomes part of the API's paths.
import { InputFault } from '../runner/inputs.ts'

/** A DNS label (RFC 1123). */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

export function isNamespaceName(text: string): boolean {
  return LABEL.test(text)
}

/** The input's value; empty when there is none. @throws InputFault */
export function parseNamespace(raw: string): string {
  if (raw === '' || isNamespaceName(raw)) return raw
  throw new InputFault(`"${raw}" is no namespace's name (up to 63 small letters, digits and "-", "-" neither first nor last)`)
}
