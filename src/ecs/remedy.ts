// Services that could not be put back: which, why, and how a person finishes it.
import { ExpectedFailure, messageOf } from '../runner/failure.ts'
import type { Passage } from './passage.ts'

/** A service that could not be put back, and why. */
export interface NotPutBack {
  readonly passage: Passage
  readonly error: unknown
}

/** @param done what was put back, for people */
export function notPutBack(cluster: string, failures: readonly NotPutBack[], done: readonly string[]): ExpectedFailure {
  const told = failures.map(({ passage, error }) => `service/${passage.name}: ${messageOf(error).replace(/\.$/, '')}`)
  const others = done.length === 0 ? '' : ` Put back was ${done.join('; ')}.`
  // Out of reach is worth another try, whatever became of the others.
  const cause = failures.map(({ error }) => error).toSorted((a, b) => Number(isUnreachable(b)) - Number(isUnreachable(a)))[0]
  const passages = failures.map(({ passage }) => passage)
  const commands = passages.filter(({ byCodeDeploy }) => !byCodeDeploy).map(passage => commandFor(cluster, passage))
  return new ExpectedFailure(
    cause instanceof ExpectedFailure ? cause.reason : 'InternalError',
    `${told.join('; ')}.${others} Remove the cause, then run ${waysOut(passages, commands)}.`,
    { cause, commands },
  )
}

function waysOut(passages: readonly Passage[], commands: readonly string[]): string {
  const more = [...new Set(passages.flatMap(({ undo }) => Object.keys(undo)))]
  if (more.length > 0) return `the commands in the job summary; the rollback action would not put back ${more.join(', ')}`
  return `the rollback action with to: previous${commands.length === 0 ? '' : ', or the commands in the job summary'}`
}

/** All that was changed, in one call, as `UpdateService` would have been asked. */
function commandFor(cluster: string, { name, before, undo }: Passage): string {
  const { desiredCount, deploymentConfiguration, capacityProviderStrategy } = undo
  return [
    `aws ecs update-service --cluster ${cluster} --service ${name} --task-definition ${before.name}`,
    ...(desiredCount === undefined ? [] : [`--desired-count ${desiredCount}`]),
    ...(deploymentConfiguration === undefined ? [] : [`--deployment-configuration ${quoted(deploymentConfiguration)}`]),
    ...(capacityProviderStrategy === undefined
      ? []
      : [`--capacity-provider-strategy ${quoted(capacityProviderStrategy)} --force-new-deployment`]),
  ].join(' ')
}

/** For a shell. */
const quoted = (value: object): string => `'${JSON.stringify(value).replaceAll("'", String.raw`'\''`)}'`

const isUnreachable = (error: unknown): boolean => error instanceof ExpectedFailure && error.reason === 'Unreachable'
