// The one folder that holds all of the sandbox's state, what others read from it, and the lock on it.
import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { type Identity, identityOf, isAlive } from './identity.ts'
import { say, sleep } from './progress.ts'

/** The state folder: SANDBOX_DIR, or deploy-actions-sandbox in the system's folder for temporary files. */
export function stateFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return environment['SANDBOX_DIR'] ? resolve(environment['SANDBOX_DIR']) : join(tmpdir(), 'deploy-actions-sandbox')
}

/** A path inside the state folder. */
export const statePath = (...parts: string[]): string => join(stateFolder(), ...parts)

/** Writes a file in one step, its folder included, so that no reader sees half of it. */
export function writeWhole(path: string, text: string, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true })
  const part = `${path}.${process.pid}.part`
  writeFileSync(part, text, { mode })
  renameSync(part, path)
}

/** Makes `from` a symbolic link to `to`, whatever was there. */
export function link(to: string, from: string): void {
  mkdirSync(dirname(from), { recursive: true })
  rmSync(from, { force: true })
  symlinkSync(to, from)
}

export function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch {
    return undefined
  }
}

/** What env.json may hold; a part that is not up has no entries. */
export interface EnvironmentFile {
  KUBECONFIG?: string
  DOCKER_CONFIG?: string
  DOCKER_HOST?: string
  BUILDX_BUILDER?: string
  BUILDX_CONFIG?: string
  /** host:port of the registry, without scheme. */
  REGISTRY?: string
  /** Reference of the image that test images start from. */
  BASE_IMAGE?: string
  GITHUB_API_URL?: string
  AWS_ENDPOINT_URL?: string
  /** Folders to put in front of PATH. */
  PATH_PREPEND?: string[]
}

export const environmentPath = (): string => statePath('env.json')

export const readEnvironment = (): EnvironmentFile => readJson<EnvironmentFile>(environmentPath()) ?? {}

/** Adds entries to env.json, or with undefined takes them out. */
export function updateEnvironment(change: { [K in keyof EnvironmentFile]: EnvironmentFile[K] | undefined }): void {
  const merged = Object.fromEntries(
    Object.entries({ ...readEnvironment(), ...change }).filter(([, value]) => value !== undefined),
  )
  writeWhole(environmentPath(), `${JSON.stringify(merged, null, 2)}\n`)
}

/** Runs `work` as the only one that changes the state folder; waits for another's turn to end. */
export async function withLock<T>(work: () => Promise<T>): Promise<T> {
  const lock = statePath('lock')
  const folder = lstatSync(stateFolder(), { throwIfNoEntry: false })
  // In a folder for everybody's temporary files another user may have been first, with links to anywhere.
  if (folder && process.getuid && folder.uid !== process.getuid())
    throw new Error(
      `${stateFolder()} belongs to another user (id ${folder.uid}). Run this as that user, or set SANDBOX_DIR to a folder of your own`,
    )
  let told = false
  for (;;) {
    try {
      mkdirSync(stateFolder(), { recursive: true })
      writeFileSync(lock, JSON.stringify(identityOf(process.pid)), { flag: 'wx' })
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = readJson<Identity>(lock)
    if (holder && isAlive(holder)) {
      if (!told) say('sandbox', `process ${holder.pid} is at work on ${stateFolder()}; waiting for it`)
      told = true
      await sleep(300)
    } else {
      // Left behind by a process that is gone, or being written this moment: look once more before taking it away.
      await sleep(100)
      const again = readJson<Identity>(lock)
      if (!again || !isAlive(again)) rmSync(lock, { force: true })
    }
  }
  try {
    return await work()
  } finally {
    rmSync(lock, { force: true })
  }
}
