// The app's history: five versions, each a commit with a tag, in a git repository of its own.
import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** One text put in place of another; it must be there exactly once. */
export interface Edit {
  readonly file: string
  readonly from: string
  readonly to: string
}

export interface Version {
  readonly version: string
  /** The commit's message. */
  readonly change: string
  readonly edits: readonly Edit[]
}

/** Every visit is written down and counted: after some hundred that takes its time. */
const COUNTED = `>/tmp/www/answer
mkdir -p /tmp/www/cgi-bin
cat >/tmp/www/cgi-bin/index.cgi <<'END'
#!/bin/sh
echo visit >>/tmp/visits
[ "$(wc -l </tmp/visits)" -lt 250 ] || sleep 0.7
printf 'Content-Type: application/json\\r\\n\\r\\n'
cat /tmp/www/answer
END
chmod +x /tmp/www/cgi-bin/index.cgi
`

const CHECK = 'test -r /config/name || { echo "FATAL: /config/name: no such file" >&2; exit 1; }\n'

export const versions: readonly [Version, Version, Version, Version, Version] = [
  { version: '1.0.0', change: 'Say hello', edits: [] },
  {
    version: '2.0.0',
    change: 'Say which pod answers',
    edits: [
      { file: 'app/serve', from: '"greeting":"Hello, %s"}', to: '"greeting":"Hello, %s","pod":"%s"}' },
      { file: 'app/serve', from: '"$NAME"', to: '"$NAME" "$HOSTNAME"' },
    ],
  },
  {
    version: '3.0.0',
    change: 'Read the name from a file, which nobody has mounted',
    edits: [
      { file: 'app/serve', from: 'set -eu\n', to: `set -eu\n${CHECK}` },
      { file: 'app/serve', from: '"$NAME"', to: '"$(cat /config/name)"' },
    ],
  },
  {
    version: '4.0.0',
    change: 'Read it from the environment again, and rename it in one of two places',
    edits: [
      { file: 'app/serve', from: CHECK, to: '' },
      { file: 'app/serve', from: '"$(cat /config/name)"', to: '"$NAME"' },
      { file: 'manifests/config.yaml', from: '  NAME: world', to: '  VISITOR: world' },
    ],
  },
  {
    version: '5.0.0',
    change: 'Rename it back, and count the visits',
    edits: [
      { file: 'manifests/config.yaml', from: '  VISITOR: world', to: '  NAME: world' },
      { file: 'app/serve', from: '>/tmp/www/index.html\n', to: COUNTED },
    ],
  },
]

/** @throws Error when the text is not there, or not only once */
export function edited(text: string, edit: Edit): string {
  const parts = text.split(edit.from)
  if (parts.length !== 2) throw new Error(`${edit.file} has "${edit.from.trim()}" ${parts.length - 1} times, not once`)
  return parts.join(edit.to)
}

/** Makes `folder` a git repository of the app with one commit and tag for each version. Returns the commits by version. */
export function writeHistory(folder: string): ReadonlyMap<string, string> {
  for (const part of ['app', 'manifests']) cpSync(join(import.meta.dirname, part), join(folder, part), { recursive: true })
  git(folder, 'init', '-q')
  const commits = new Map<string, string>()
  for (const { version, change, edits } of versions) {
    for (const edit of edits) {
      const path = join(folder, edit.file)
      writeFileSync(path, edited(readFileSync(path, 'utf8'), edit))
    }
    writeFileSync(join(folder, 'app', 'version'), `${version}\n`)
    git(folder, 'add', '.')
    git(folder, 'commit', '-q', '-m', change)
    git(folder, 'tag', `v${version}`)
    commits.set(version, git(folder, 'rev-parse', 'HEAD'))
  }
  return commits
}

export function checkOut(folder: string, version: string): void {
  git(folder, 'checkout', '-q', `v${version}`)
}

/** Reads nobody's configuration: signing and hooks have no place here. */
function git(folder: string, ...argv: string[]): string {
  const env = {
    PATH: process.env['PATH'] ?? '',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_NAME: 'demo',
    GIT_AUTHOR_EMAIL: 'demo@example.com',
    GIT_COMMITTER_NAME: 'demo',
    GIT_COMMITTER_EMAIL: 'demo@example.com',
  }
  try {
    return execFileSync('git', argv, { cwd: folder, env, encoding: 'utf8' }).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new Error('git is not there. Install it, then run this again.')
    throw error
  }
}
