// The sandbox's part `github`: the fake of GitHub's API as a daemon. What it keeps lasts as long as it runs.
import { join } from 'node:path'
import { accepts, isRunning, remove, start } from '../processes.ts'
import { say } from '../progress.ts'
import { readEnvironment, updateEnvironment } from '../state.ts'
import { READY_PATH } from './server.ts'

const port = 5080
const address = `http://127.0.0.1:${port}`

export async function githubUp(): Promise<void> {
  if (!isRunning('github') && (await accepts(port)))
    throw new Error(`port ${port} of 127.0.0.1 is taken by something else. End it and run this again`)
  await start('github', {
    name: 'github',
    argv: [process.execPath, join(import.meta.dirname, 'serve.ts'), String(port)],
    ready: { http: `${address}${READY_PATH}` },
    readyWithin: 20,
  })
  updateEnvironment({ GITHUB_API_URL: address })
  say('github', `a fake of GitHub's API answers on ${address}`)
}

export async function githubDown(): Promise<void> {
  await remove('github')
  if (readEnvironment().GITHUB_API_URL !== undefined) updateEnvironment({ GITHUB_API_URL: undefined })
}
