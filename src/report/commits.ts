// Which commits lie between two releases: from the checkout where it has the history, else as a link to GitHub's own comparison.
import { execFile } from 'node:child_process'
import { foreignLine } from '../runner/foreign-text.ts'
import { code, inline } from '../runner/markdown.ts'

export interface CommitRange {
  readonly from: string
  readonly to: string
  /** `back`: what is deployed is older than what was live. */
  readonly direction: 'same' | 'forward' | 'back' | 'unknown'
  /** The newest ones; empty where the history is not there. */
  readonly commits: readonly { readonly sha: string; readonly subject: string }[]
  readonly count: number
  /** GitHub's comparison; empty outside of a workflow. */
  readonly link: string
}

const SHOWN = 20
const GIT_MS = 5_000
const OUTPUT_LIMIT_BYTES = 256 * 1024
const SUBJECT_LIMIT = 120

/** Undefined where one of the two is not known. Never throws. */
export async function commitsBetween(
  from: string,
  to: string,
  workspace: string,
  env: NodeJS.ProcessEnv,
): Promise<CommitRange | undefined> {
  if (!isSha(from) || !isSha(to)) return undefined
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository } = env
  const link = server && repository ? `${server}/${repository}/compare/${from}...${to}` : ''
  if (from === to) return { from, to, direction: 'same', commits: [], count: 0, link: '' }
  const forward = await log(from, to, workspace, env)
  if (forward !== undefined && forward.count > 0) return { from, to, direction: 'forward', ...forward, link }
  const back = forward === undefined ? undefined : await log(to, from, workspace, env)
  if (back !== undefined && back.count > 0) return { from, to, direction: 'back', ...back, link }
  return { from, to, direction: 'unknown', commits: [], count: 0, link }
}

function isSha(text: string): boolean {
  return /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(text)
}

/** Undefined where the checkout does not have the history, or git does not want to show it. */
async function log(
  from: string,
  to: string,
  workspace: string,
  env: NodeJS.ProcessEnv,
): Promise<Pick<CommitRange, 'commits' | 'count'> | undefined> {
  const range = `${from}..${to}`
  const [subjects, count] = await Promise.all([
    git(['log', '--no-color', '--no-decorate', `--max-count=${SHOWN}`, '--format=%H %s', range, '--'], workspace, env),
    git(['rev-list', '--count', range, '--'], workspace, env),
  ])
  if (subjects === undefined || count === undefined) return undefined
  const commits = subjects
    .split('\n')
    .filter(line => isSha(line.slice(0, line.indexOf(' '))))
    .map(line => ({
      sha: line.slice(0, line.indexOf(' ')),
      subject: foreignLine(line.slice(line.indexOf(' ') + 1), SUBJECT_LIMIT),
    }))
  return { commits, count: Number(count.trim()) || commits.length }
}

function git(argv: readonly string[], workspace: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const quiet = {
    ...Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('INPUT_'))),
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_LAZY_FETCH: '1',
  }
  return new Promise(resolve => {
    execFile(
      'git',
      ['-C', workspace, '-c', 'log.showSignature=false', '--no-pager', ...argv],
      { env: quiet, timeout: GIT_MS, maxBuffer: OUTPUT_LIMIT_BYTES, encoding: 'utf8' },
      (error, stdout) => resolve(error === null ? stdout : undefined),
    )
  })
}

const WORDS = {
  same: 'The same commit as before.',
  forward: (count: number) => `${count} ${count === 1 ? 'commit' : 'commits'} more than before`,
  back: (count: number) => `${count} ${count === 1 ? 'commit' : 'commits'} back`,
  unknown: 'From another commit than before',
} as const

/** Markdown. */
export function commitsSection(range: CommitRange | undefined): string {
  if (range === undefined) return ''
  const { direction, commits, count, link, from, to } = range
  if (direction === 'same') return `${WORDS.same} (${code(to.slice(0, 7))})`
  const said = direction === 'unknown' ? WORDS.unknown : WORDS[direction](count)
  const names = `${code(from.slice(0, 7))} → ${code(to.slice(0, 7))}`
  const compared = link === '' ? names : `[${names}](${link})`
  const lines = commits.map(({ sha, subject }) => `- ${code(sha.slice(0, 7))} ${inline(subject)}`)
  if (count > commits.length && commits.length > 0) lines.push(`- and ${count - commits.length} more`)
  return [`${said}: ${compared}`, ...(lines.length === 0 ? [] : [lines.join('\n')])].join('\n\n')
}
