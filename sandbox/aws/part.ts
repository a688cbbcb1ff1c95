// The sandbox's part `aws`: the AWS simulator as a daemon. What it keeps lasts as long as it runs.
import { join } from 'node:path'
import { accepts, isRunning, remove, start } from '../processes.ts'
import { say } from '../progress.ts'
import { readEnvironment, updateEnvironment } from '../state.ts'
import { READY_PATH } from './control.ts'

const port = 4566
const address = `http://127.0.0.1:${port}`

export async function awsUp(): Promise<void> {
  if (!isRunning('aws') && (await accepts(port)))
    throw new Error(`port ${port} of 127.0.0.1 is taken by something else. End it and run this again`)
  await start('aws', {
    name: 'aws',
    argv: [process.execPath, join(import.meta.dirname, 'serve.ts'), String(port), process.env['SANDBOX_AWS_SPEED'] ?? '1'],
    ready: { http: `${address}${READY_PATH}` },
    readyWithin: 20,
  })
  updateEnvironment({ AWS_ENDPOINT_URL: address })
  say('aws', `the AWS simulator answers on ${address}`)
}

export async function awsDown(): Promise<void> {
  await remove('aws')
  if (readEnvironment().AWS_ENDPOINT_URL !== undefined) updateEnvironment({ AWS_ENDPOINT_URL: undefined })
}
