// The post step's work on Kubernetes: which release the main step has left in the middle, and the connection to put it back.
import { systemClock } from '../deploy/clock.ts'
import { finish, givenInput, LOCK_WAIT_MS } from '../deploy/finish.ts'
import { formatReleaseAddress, parseReleaseAddress } from '../deploy/release-address.ts'
import type { Runner } from '../runner/action.ts'
import { connect } from './connection.ts'
import { KubernetesPlatform } from './platform.ts'

/**
 * Puts back what the main step has left in the middle. Nothing to do for a release that has ended. What the main step was given the runner hands over
 * again: its state and its inputs.
 * @returns what there is to say of it in the job summary
 */
export async function finishRelease(runner: Runner): Promise<string | undefined> {
  const remembered = runner.env['STATE_release'] ?? ''
  const locked = runner.env['STATE_lock'] ?? ''
  // What the lock is of is written as the address of a release that is yet to come.
  if (remembered === '' && locked === '') return undefined
  const address = parseReleaseAddress(remembered === '' ? locked : remembered)
  if (address.platform !== 'k8s') return undefined
  const { env, log, temporary, cancelled, ending: signal } = runner
  const [kubeconfig, context] = [givenInput(runner, 'kubeconfig'), givenInput(runner, 'context')]
  const connection = await connect({ kubeconfig, context, env, temporary, log, signal })
  try {
    const target = (): Promise<never> => Promise.reject(new Error('a release that is put back has no target'))
    const platform = new KubernetesPlatform({
      api: connection.api,
      app: address.app,
      namespace: address.namespace,
      target,
      lockWaitMs: LOCK_WAIT_MS,
      context: connection.context,
      env,
      clock: systemClock,
      log,
      cancelled,
    })
    const number = remembered === '' ? await platform.findLeftBehind() : address.number
    if (number === undefined || !(await platform.isUnfinished(number))) {
      await platform.releaseLeftBehind()
      return undefined
    }
    const release = formatReleaseAddress({ ...address, number })
    return await finish(platform, { release, resume: () => platform.resume(number), runner, clock: systemClock })
  } finally {
    await connection.close()
  }
}
