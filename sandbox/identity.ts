// Which process a pid meant: pids are reused, and do not outlive the machine's boot.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export interface Identity {
  pid: number
  /** Opaque: on Linux clock ticks from boot to the process's start, elsewhere the date `ps` tells. */
  startTime: string
  /** The kernel's id of this boot; empty where there is none. */
  bootId: string
}

/** State letter and start time out of /proc/<pid>/stat, whose second field (the name) may hold spaces and parentheses. */
export function parseStat(stat: string): { state: string; startTime: string } | undefined {
  const end = stat.lastIndexOf(')')
  if (end < 0) return undefined
  const fields = stat
    .slice(end + 1)
    .trim()
    .split(/\s+/)
  const state = fields[0]
  // starttime is field 22 of proc(5), counted from 1; the first here is field 3.
  const startTime = fields[19]
  return state && startTime ? { state, startTime } : undefined
}

export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

/** The identity of a living process; undefined when there is none, or only its zombie. */
export function identityOf(pid: number): Identity | undefined {
  if (process.platform === 'linux') {
    try {
      const stat = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'))
      if (!stat || stat.state === 'Z' || stat.state === 'X') return undefined
      return { pid, startTime: stat.startTime, bootId: bootId() }
    } catch {
      return undefined
    }
  }
  try {
    const said = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
    if (!said || said.startsWith('Z')) return undefined
    return { pid, startTime: said.replace(/^\S+\s+/, ''), bootId: '' }
  } catch {
    return undefined
  }
}

/** Whether what was found under a pid is the process that was written down. */
export function isSame(recorded: Identity, found: Identity | undefined): boolean {
  return (
    found !== undefined &&
    recorded.pid === found.pid &&
    recorded.startTime === found.startTime &&
    recorded.bootId === found.bootId
  )
}

export const isAlive = (recorded: Identity | null | undefined): boolean =>
  !!recorded && isSame(recorded, identityOf(recorded.pid))
