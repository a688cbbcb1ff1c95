// Bundles every action: out/actions/<name>/src/main.js becomes actions/<name>/dist/index.js, lazily loaded parts beside it as chunks.
// An action whose action.yml has a post step gets dist/post.js, which loads the same bundle as its post step.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '..')
const POST = "globalThis.deployActionsStep = 'post'\nawait import('./index.js')\n"

async function bundle(name: string): Promise<string> {
  const dist = join(root, 'actions', name, 'dist')
  await rm(dist, { recursive: true, force: true })
  const entry = join(root, 'out', 'actions', name, 'src', 'main.js')
  await promisify(execFile)(process.execPath, [
    join(root, 'node_modules/@vercel/ncc/dist/ncc/cli.js'),
    'build',
    entry,
    '--minify',
    '--out',
    dist,
  ])
  await writeFile(join(dist, 'package.json'), '{"type":"module"}\n')
  if (/^\s+post:/m.test(await readFile(join(root, 'actions', name, 'action.yml'), 'utf8')))
    await writeFile(join(dist, 'post.js'), POST)
  const kilobytes = Math.round((await readFile(join(dist, 'index.js'))).length / 1_024)
  return `${name.padEnd(16)} ${kilobytes} KiB, ${(await readdir(dist)).filter(file => /^\d+\.index\.js$/.test(file)).length} lazy chunks`
}

const wanted = process.argv.slice(2)
const names = (await readdir(join(root, 'actions'))).filter(name => existsSync(join(root, 'actions', name, 'action.yml')))
for (const line of await Promise.all(names.filter(name => wanted.length === 0 || wanted.includes(name)).map(bundle)))
  process.stdout.write(`${line}\n`)
