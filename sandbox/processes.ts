// Starts and ends daemons. Each has a record in <state>/processes/<name>.json: how it is started, and which process it is.
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import { connect } from 'node:net'
import { run } from './command.ts'
import { type Identity, identityOf, isAlive, isSame } from './identity.ts'
import { say, sleep } from './progress.ts'
import { readJson, statePath, writeWhole } from './state.ts'

/** How to ask a daemon whether it serves: a URL that answers 2xx, a socket that accepts, or a command that ends with 0. */
export type Readiness = { http: string } | { socket: string } | { command: string[] }

export interface ProcessSpec {
  name: string
  /** The program's path and its arguments. */
  argv: string[]
  environment?: Record<string, string>
  ready?: Readiness
  /** Seconds it may take to become ready. */
  readyWithin?: number
}

export interface ProcessRecord extends ProcessSpec {
  /** null once it was stopped on purpose. */
  identity: Identity | null
}

const recordPath = (name: string): string => statePath('processes', `${name}.json`)
export const logPath = (name: string): string => statePath('logs', `${name}.log`)

export const readRecord = (name: string): ProcessRecord | undefined => readJson<ProcessRecord>(recordPath(name))

export function records(): ProcessRecord[] {
  let names: string[] = []
  try {
    names = readdirSync(statePath('processes'))
  } catch {}
  return names
    .filter(name => name.endsWith('.json'))
    .map(name => readRecord(name.slice(0, -'.json'.length)))
    .filter(record => record !== undefined)
}

export const isRunning = (name: string): boolean => isAlive(readRecord(name)?.identity)

/** Starts a daemon unless the one written down still runs, and waits until it is ready. */
export async function start(part: string, spec: ProcessSpec): Promise<void> {
  const old = readRecord(spec.name)
  if (!old || !isAlive(old.identity)) {
    mkdirSync(statePath('logs'), { recursive: true })
    const [program = '', ...rest] = spec.argv
    const log = openSync(logPath(spec.name), 'a')
    // Detached: a session of its own, so that the terminal's Ctrl-C and this process's end do not reach it.
    const child = spawn(program, rest, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...spec.environment },
    })
    closeSync(log)
    const pid = await new Promise<number>((resolve, reject) => {
      child.once('spawn', () => resolve(child.pid ?? 0))
      child.once('error', error => reject(new Error(`${spec.name} could not be started: ${error.message}`)))
    })
    child.unref()
    const identity = identityOf(pid)
    writeWhole(recordPath(spec.name), `${JSON.stringify({ ...spec, identity: identity ?? null }, null, 2)}\n`)
    if (!identity) throw new Error(`${spec.name} ended at once.${logEnd(spec.name)}`)
  }
  if (spec.ready) await waitUntilReady(part, spec)
}

async function waitUntilReady(part: string, spec: ProcessSpec): Promise<void> {
  const begun = Date.now()
  const limit = (spec.readyWithin ?? 60) * 1000
  let told = begun
  while (!(await isReady(spec))) {
    if (!isRunning(spec.name)) throw new Error(`${spec.name} ended before it was ready.${logEnd(spec.name)}`)
    const now = Date.now()
    if (now - begun > limit) throw new Error(`${spec.name} was not ready after ${limit / 1000} s.${logEnd(spec.name)}`)
    if (now - told > 5000) {
      told = now
      say(part, `waiting for ${spec.name}`)
    }
    await sleep(100)
  }
}

/** Asks once. A spec without a question counts as ready. */
export async function isReady(spec: ProcessSpec): Promise<boolean> {
  const { ready } = spec
  if (!ready) return true
  if ('http' in ready) return answers(ready.http)
  if ('socket' in ready) return accepts(ready.socket)
  return (await run(ready.command, { timeout: 5000 })).code === 0
}

/** Whether a URL answers 2xx within two seconds. */
export function answers(url: string, headers: Record<string, string> = {}): Promise<boolean> {
  return new Promise(resolve => {
    const request = get(url, { timeout: 2000, agent: false, headers }, response => {
      response.resume()
      resolve((response.statusCode ?? 0) >= 200 && (response.statusCode ?? 0) < 300)
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(false))
  })
}

/** Whether something accepts connections on a Unix socket (a path) or a port of 127.0.0.1. */
export function accepts(target: string | number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = typeof target === 'number' ? connect(target, '127.0.0.1') : connect(target)
    socket.setTimeout(2000, () => socket.destroy())
    socket.on('connect', () => {
      resolve(true)
      socket.destroy()
    })
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
  })
}

/** Ends a daemon if it is still the process that was written down. The record stays, so that it can be started again. */
export async function stop(name: string, graceSeconds = 10): Promise<boolean> {
  const record = readRecord(name)
  if (!record) return false
  const { identity } = record
  let ended = false
  if (identity && isSame(identity, identityOf(identity.pid))) {
    ended = true
    signal(identity, 'SIGTERM')
    const limit = Date.now() + graceSeconds * 1000
    while (isAlive(identity) && Date.now() < limit) await sleep(50)
    if (isAlive(identity)) signal(identity, 'SIGKILL')
    while (isAlive(identity)) await sleep(20)
  }
  writeWhole(recordPath(name), `${JSON.stringify({ ...record, identity: null }, null, 2)}\n`)
  return ended
}

/** Starts a stopped daemon again, as it was started the last time. */
export async function startAgain(part: string, name: string): Promise<void> {
  const record = readRecord(name)
  if (!record)
    throw new Error(
      `there is no process ${name} here; known: ${
        records()
          .map(known => known.name)
          .join(', ') || 'none'
      }`,
    )
  const { identity: _, ...spec } = record
  await start(part, spec)
}

/** Ends a daemon and forgets it. */
export async function remove(name: string, graceSeconds?: number): Promise<void> {
  await stop(name, graceSeconds)
  rmSync(recordPath(name), { force: true })
}

function signal(identity: Identity, name: NodeJS.Signals): void {
  try {
    process.kill(identity.pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function logEnd(name: string): string {
  let end = ''
  try {
    end = readFileSync(logPath(name), 'utf8').trimEnd().split('\n').slice(-6).join('\n  ')
  } catch {}
  return ` The end of its log, ${logPath(name)}:\n  ${end}`
}
