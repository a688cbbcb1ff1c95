// What the API server says of a step that it refuses, as one sentence at the line of the user's file, with what to do about it.
import { ExpectedFailure, type FilePosition } from '../runner/failure.ts'
import { foreignLine } from '../runner/foreign-text.ts'
import { ApiFailure, asExpectedFailure } from './api.ts'
import { differences } from './change.ts'
import { parseFieldPath } from './field-path.ts'
import { groupOf, objectName } from './objects.ts'
import type { Step } from './steps.ts'

export function isOwnershipConflict(error: ApiFailure): boolean {
  return error.status === 409 && error.causes.some(cause => cause.reason === 'FieldManagerConflict')
}

/** The server's refusal as one sentence, at the line of the user's file that it is about. A Secret's values, which it may quote, are left out. */
export function explain(error: unknown, step: Step, verb: string): unknown {
  if (!(error instanceof ApiFailure)) return error
  const name = objectName(step.body)
  const told = (text: string): string => foreignLine(withoutSecrets(text, step))
  if (isOwnershipConflict(error)) {
    const conflicts = error.causes.map(
      cause => `${cause.field ?? '?'} belongs to ${/^conflict with ("[^"]*")/.exec(cause.message ?? '')?.[1] ?? 'somebody else'}`,
    )
    const at = positionOf(step, error.causes[0]?.field)
    return new ExpectedFailure(
      'Conflict',
      `${name} cannot be applied: ${told(conflicts.join('; '))}. Leave the field out of the manifest, or take it from its owner.`,
      at === undefined ? {} : { at },
    )
  }
  if (error.status === 422 || error.status === 400 || (error.status === 500 && MALFORMED.test(error.message))) {
    const causes = error.causes.length > 0 ? error.causes : schemaFaults(error.message)
    const [first, ...others] = causes.map(cause => {
      const field = changedField(step, cause.field, cause.message ?? '')
      return { field, message: `${field === undefined || field === '' ? '' : `${field}: `}${told(cause.message ?? '')}` }
    })
    const at = positionOf(step, first?.field)
    const advice = isImmutable(error) ? ` ${adviceFor(step)}` : ''
    const also = others.map(other => {
      const where = positionOf(step, other.field)
      return { message: `${name}: ${other.message}`, ...(where === undefined ? {} : { at: where }) }
    })
    return new ExpectedFailure(
      'InvalidInput',
      `${name} is not valid: ${first?.message ?? told(error.message)}${advice === '' ? '' : `.${advice}`}`,
      {
        also,
        ...(at === undefined ? {} : { at }),
      },
    )
  }
  if (step.body.kind !== 'Secret') return placed(asExpectedFailure(error, `${verb} ${name}`), error, step)
  const { status, reason, message, causes } = error
  const clean = causes.map(cause => ({ ...cause, message: withoutSecrets(cause.message ?? '', step) }))
  const clear = new ApiFailure(status, reason, withoutSecrets(message, step), { causes: clean })
  return placed(asExpectedFailure(clear, `${verb} ${name}`), error, step)
}

/** What a policy, a webhook or a quota refuses is refused of the object as a whole; a missing namespace is written somewhere. */
function placed(failure: Error, { status, message }: ApiFailure, step: Step): Error {
  const at =
    status === 403 ? step.position([]) : /^namespaces "/.test(message) ? step.position(['metadata', 'namespace']) : undefined
  if (!(failure instanceof ExpectedFailure) || at === undefined) return failure
  return new ExpectedFailure(failure.reason, failure.message, { at, also: failure.also, cause: failure.cause })
}

/** What the server says of a manifest that does not fit its kind comes as an internal error. */
const MALFORMED = /typed patch object|field not declared|unknown field|unable to convert unstructured object|error decoding/

/** What YAML reads as a number or as true: `expected string, got &value.valueUnstructured{Value:1}`. */
const NO_TEXT = /(?<=^expected string, got )&value\.valueUnstructured\{Value:([\s\S]*)\}$/

const SHORTEST_SECRET = 3

/** A refusal may quote what it refuses: `expected string, got &value.valueUnstructured{Value:4242}`, `Invalid value: "..."`. */
function withoutSecrets(text: string, step: Step): string {
  if (step.body.kind !== 'Secret') return text
  const values = [step.body, step.before, step.live].flatMap(object =>
    [object?.['data'], object?.['stringData']].flatMap(data => Object.values((data ?? {}) as Record<string, unknown>)),
  )
  const spellings = values
    .flatMap(value => [String(value), Buffer.from(String(value), 'base64').toString(), JSON.stringify(value)])
    .filter(spelling => spelling.length >= SHORTEST_SECRET)
    .sort((a, b) => b.length - a.length)
  const quoted = text
    .replace(/, got [\s\S]*$/, '')
    .replace(/(Invalid|Unsupported|Duplicate) value: ("(?:[^"\\]|\\.)*"|\{[^}]*\}|[^\s:]+)/g, '$1 value')
  return spellings.reduce((clean, spelling) => clean.replaceAll(spelling, '***'), quoted)
}

function positionOf(step: Step, field: string | undefined): FilePosition | undefined {
  return step.position(field === undefined ? [] : parseFieldPath(field))
}

/**
 * The faults in a refusal by the schema, one a line: `.spec.template.spec.containers[name="app"].imagee: field not declared in schema`,
 * `unknown field "spec.x"`.
 */
function schemaFaults(message: string): { field: string | undefined; message: string }[] {
  const text = message.replace(/^failed to create typed patch object \([^)]*\): /, '').replace(/^.*strict decoding error: /, '')
  const lines = text.split('\n').map(line => line.trim())
  return lines
    .filter(line => line !== '' && line !== 'errors:')
    .map(line => {
      const declared = /^(\.[^:]+): (.*)$/.exec(line)
      if (declared !== null)
        return { field: declared[1], message: (declared[2] ?? line).replace(NO_TEXT, '$1: put it in quotes') }
      return { field: /unknown field "([^"]+)"/.exec(line)?.[1], message: line }
    })
}

const IMMUTABLE =
  /field is immutable|may not change once set|cannot change roleRef|immutable after creation|updates to .* are forbidden|pod updates may not change|can not be less than/

/** Whether the server refuses a change of what can't be changed in a live object. */
export function isImmutable(error: ApiFailure): boolean {
  return (
    error.status === 422 && (IMMUTABLE.test(error.message) || error.causes.some(({ message }) => IMMUTABLE.test(message ?? '')))
  )
}

/** A StatefulSet's refusal names the fields that may be changed; which one was, is seen by comparing. */
function changedField({ body, live }: Step, field: string | undefined, message: string): string | undefined {
  const allowed = /for fields other than (.*) are forbidden/.exec(message)?.[1]
  if (allowed === undefined || field !== 'spec' || live === undefined) return field
  const spec = (body['spec'] ?? {}) as Record<string, unknown>
  const was = (live['spec'] ?? {}) as Record<string, unknown>
  const changed = Object.keys(spec).find(key => !allowed.includes(`'${key}'`) && adds(was[key], spec[key]))
  return changed === undefined ? field : `spec.${changed}`
}

/** Whether `to` says something that `from` does not; what the server has filled in in `from` is no difference. */
function adds(from: unknown, to: unknown): boolean {
  return differences(from, to).some(({ after }) => after !== undefined)
}

function adviceFor({ body, live }: Step): string {
  const name = objectName(body)
  const within = body.metadata.namespace === undefined ? '' : ` -n ${body.metadata.namespace}`
  const anew = `"kubectl delete ${name}${within}`
  switch (`${groupOf(body.apiVersion)}/${body.kind}`) {
    case 'apps/Deployment':
    case 'apps/DaemonSet':
    case 'apps/ReplicaSet':
      return `A selector stays for good. Leave it as it is live, give the ${body.kind} another name, or free its pods by ${anew} --cascade=orphan" and run this again; the freed pods serve on, and are yours to delete.`
    case 'apps/StatefulSet':
      return `Leave it as it is live, or free the pods by ${anew} --cascade=orphan" and run this again: pods and volumes stay, and the pods are taken up.`
    case '/ConfigMap':
    case '/Secret':
      return (live as { immutable?: unknown } | undefined)?.immutable === true
        ? 'It is marked immutable: give the new content a new name, and name that in the workloads.'
        : `A Secret's type stays for good: give it another name, or remove it first by ${anew}".`
    case '/Service':
      return `Leave it as it is live, or remove the Service first by ${anew}": it has no address until this has run again.`
    case '/PersistentVolumeClaim':
      return 'Of a claim only its size can be changed, and it can only grow. Make a claim of another name, and move the data.'
    case 'rbac.authorization.k8s.io/RoleBinding':
    case 'rbac.authorization.k8s.io/ClusterRoleBinding':
      return `A binding's role stays for good: give the binding another name, or remove it first by ${anew}".`
    case '/Pod':
      return `A pod can't be changed: make it a Deployment or a Job, or remove it first by ${anew}".`
    default:
      return `Leave it as it is live, give it another name, or remove it first by ${anew}".`
  }
}
