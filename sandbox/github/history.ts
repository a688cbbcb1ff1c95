// The commits of a local git repository, as far as GitHub's API tells of them.
import { execFile } from 'node:child_process'

export interface Signature {
  readonly name: string
  readonly email: string
  /** ISO 8601 in UTC, without fractions. */
  readonly date: string
}

export interface Commit {
  readonly sha: string
  readonly tree: string
  readonly parents: readonly string[]
  readonly author: Signature
  readonly committer: Signature
  readonly message: string
}

export type ChangeStatus = 'added' | 'removed' | 'modified' | 'renamed'

export interface FileChange {
  readonly filename: string
  readonly previousFilename?: string
  readonly status: ChangeStatus
  readonly sha: string
  readonly additions: number
  readonly deletions: number
}

export interface Comparison {
  readonly base: Commit
  readonly mergeBase: Commit
  readonly ahead: number
  readonly behind: number
  /** What head has and base has not, oldest first. */
  readonly commits: readonly Commit[]
  /** From the merge base to head. */
  readonly files: readonly FileChange[]
}

const FORMAT = ['%H', '%T', '%P', '%an', '%ae', '%aI', '%cn', '%ce', '%cI', '%B'].join('%x1f')
const EMPTY_TREE = '4b825dc642cb6eb9a060e54bf8d69288fbee4904'
const STATUSES: Readonly<Record<string, ChangeStatus>> = { A: 'added', D: 'removed', R: 'renamed' }

export class History {
  readonly folder: string

  constructor(folder: string) {
    this.folder = folder
  }

  async defaultBranch(): Promise<string> {
    return (await this.#git('symbolic-ref', '--quiet', '--short', 'HEAD'))?.trim() || 'main'
  }

  /** The commit that a branch, a tag or a SHA means; undefined where there is none. */
  async commit(ref: string): Promise<Commit | undefined> {
    if (!/^\w[\w./+@-]*$/.test(ref) || ref.includes('..') || ref.includes('@{')) return undefined
    const sha = (await this.#git('rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`))?.trim()
    return sha ? (await this.#log('--max-count=1', sha))[0] : undefined
  }

  async compare(base: Commit, head: Commit): Promise<Comparison | undefined> {
    const shared = (await this.#git('merge-base', base.sha, head.sha))?.trim()
    const mergeBase = shared ? await this.commit(shared) : undefined
    if (mergeBase === undefined) return undefined
    const commits = await this.#log('--reverse', `${base.sha}..${head.sha}`)
    const behind = Number((await this.#git('rev-list', '--count', `${head.sha}..${base.sha}`)) ?? 0)
    return { base, mergeBase, ahead: commits.length, behind, commits, files: await this.changes(mergeBase.sha, head.sha) }
  }

  /** What changed in the files from one commit to another; from nothing, where `from` is undefined. */
  async changes(from: string | undefined, to: string): Promise<FileChange[]> {
    const output = async (form: string): Promise<string[]> =>
      (
        (await this.#git('diff', '--find-renames', '--no-ext-diff', form, '-z', '--abbrev=40', from ?? EMPTY_TREE, to)) ?? ''
      ).split('\0')
    const counts = new Map<string, { additions: number; deletions: number }>()
    const numbers = await output('--numstat')
    while (numbers.length > 1) {
      const [additions, deletions, path = ''] = (numbers.shift() ?? '').split('\t')
      // A rename's two paths are fields of their own.
      const filename = path === '' ? (numbers.splice(0, 2)[1] ?? '') : path
      // A binary file has dashes.
      counts.set(filename, { additions: Number(additions) || 0, deletions: Number(deletions) || 0 })
    }
    const changes: FileChange[] = []
    const raw = await output('--raw')
    while (raw.length > 1) {
      const [, , before = '', after = '', letter = ''] = (raw.shift() ?? '').split(' ')
      const status = STATUSES[letter.charAt(0)] ?? 'modified'
      const paths = raw.splice(0, status === 'renamed' ? 2 : 1)
      const filename = paths.at(-1) ?? ''
      changes.push({
        filename,
        ...(status === 'renamed' ? { previousFilename: paths[0] ?? '' } : {}),
        status,
        sha: status === 'removed' ? before : after,
        ...(counts.get(filename) ?? { additions: 0, deletions: 0 }),
      })
    }
    return changes
  }

  async #log(...args: string[]): Promise<Commit[]> {
    const output = (await this.#git('log', '-z', `--format=${FORMAT}`, ...args)) ?? ''
    return output
      .split('\0')
      .filter(text => text !== '')
      .map(text => {
        const [
          sha = '',
          tree = '',
          parents = '',
          name = '',
          email = '',
          date = '',
          name2 = '',
          email2 = '',
          date2 = '',
          ...message
        ] = text.split('\x1f')
        return {
          sha,
          tree,
          parents: parents.split(' ').filter(parent => parent !== ''),
          author: { name, email, date: inUtc(date) },
          committer: { name: name2, email: email2, date: inUtc(date2) },
          message: message.join('\x1f').replace(/\n+$/, ''),
        }
      })
  }

  /** What git prints; undefined when it fails. */
  #git(...args: string[]): Promise<string | undefined> {
    return new Promise(resolve => {
      execFile('git', ['-C', this.folder, ...args], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }, (error, stdout) =>
        resolve(error === null ? stdout : undefined),
      )
    })
  }
}

/** GitHub tells times in whole seconds of UTC. */
export function inUtc(date: string | Date): string {
  return new Date(date).toISOString().replace(/\.\d+Z$/, 'Z')
}
