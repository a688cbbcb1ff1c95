// Commands for a person at a terminal: kubectl with context and namespace, ready to be pasted into a shell.
import { groupOf, type KubernetesObject } from './objects.ts'
import type { Step } from './steps.ts'

/** A word as a POSIX shell takes it. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

/** `kubectl --context prod -n shop describe pod web-1`. An empty context or namespace is left out. */
export function kubectlCommand(context: string, namespace: string, ...words: readonly string[]): string {
  const global = [...(context === '' ? [] : ['--context', context]), ...(namespace === '' ? [] : ['-n', namespace])]
  return ['kubectl', ...global, ...words].map(shellWord).join(' ')
}

/** `deployment.apps/web`: without the group a kind that two groups have would be the wrong one. */
export function typedName({ apiVersion, kind, name }: { apiVersion: string; kind: string; name: string }): string {
  const group = groupOf(apiVersion)
  return `${kind.toLowerCase()}${group === '' ? '' : `.${group}`}/${name}`
}

const SERVERS_OWN = ['resourceVersion', 'uid', 'generation', 'creationTimestamp', 'managedFields', 'selfLink']

export interface WayBack {
  readonly context: string
  /** Where the release record is, and its name. */
  readonly namespace: string
  readonly secret: string
  /** False where the record holds no objects: then only what was created can be taken away by command. */
  readonly hasObjects: boolean
}

/** The commands that undo the steps: what was there is put back from the release record, what was created is deleted. They need jq, base64 and gunzip. */
export function commandsToUndo(steps: readonly Step[], { context, namespace, secret, hasObjects }: WayBack): readonly string[] {
  const created = steps.filter(({ before }) => before === undefined)
  const there = steps.filter(({ before, action }) => before !== undefined && action !== 'delete')
  const deleted = steps.filter(({ before, action }) => before !== undefined && action === 'delete')
  const way = { context, namespace, secret, hasObjects }
  const fromRecord = (some: readonly Step[], verb: string): readonly string[] =>
    readRecord(
      some.map(({ body }) => body),
      'before',
      '-c',
      way,
    ).map(command => `${command} | ${kubectlCommand(context, '', verb, '-f', '-')}`)
  return [
    ...fromRecord(there, 'replace'),
    ...fromRecord(deleted, 'create'),
    ...created.map(({ body }) =>
      kubectlCommand(
        context,
        body.metadata.namespace ?? '',
        'delete',
        typedName({ ...body, name: body.metadata.name }),
        '--ignore-not-found',
      ),
    ),
  ]
}

/** The command that writes objects as the release record has them, before or after the release; none where it does not. */
export function readRecord(
  objects: readonly KubernetesObject[],
  when: 'before' | 'after',
  form: '-c' | '.',
  { context, namespace, secret, hasObjects }: WayBack,
): readonly string[] {
  if (objects.length === 0 || !hasObjects) return []
  const names = JSON.stringify(objects.map(nameInRecord))
  const program = `.objects[] | select([.reference | .kind, .metadata.namespace // "", .metadata.name] | join("/") | IN(${names}[])) | .${when} | del(.status, .metadata["${SERVERS_OWN.join('", "')}"])`
  const read = kubectlCommand(context, namespace, 'get', 'secret', secret, '-o', 'jsonpath={.data.release}')
  return [`${read} | base64 -d | gunzip | jq ${form === '-c' ? '-c ' : ''}${shellWord(program)}`]
}

function nameInRecord({ kind, metadata }: KubernetesObject): string {
  return `${kind}/${metadata.namespace ?? ''}/${metadata.name}`
}
