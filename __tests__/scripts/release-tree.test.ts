import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { actionNames, readActionFile, repositoryRoot } from '../../scripts/action-file.ts'
import { missingFiles, reusableWorkflows, writeReleaseTree } from '../../scripts/release-tree.ts'

let folder = ''
let root = ''
let tree = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'release-tree-'))
  root = join(folder, 'repository')
  tree = join(folder, 'tree')
  // The repository as it is, with stand-ins for the bundles: a unit test does not wait for a build.
  for (const name of actionNames()) {
    cpSync(join(repositoryRoot, 'actions', name, 'action.yml'), join(root, 'actions', name, 'action.yml'))
    const { runs } = readActionFile(name)
    for (const file of [runs.pre, runs.main, runs.post]) if (file !== undefined) write(`actions/${name}/${file}`, '//')
    write(`actions/${name}/dist/470.index.js`, '//')
    write(`actions/${name}/src/main.ts`, '//')
  }
  cpSync(join(repositoryRoot, '.github'), join(root, '.github'), { recursive: true })
  for (const name of ['README.md', 'LICENSE', 'package.json']) write(name, name)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

describe('the release tree', () => {
  test('has every action at the top, with every file that its action.yml runs', () => {
    expect(writeReleaseTree(tree, root)).toEqual(actionNames())
    for (const name of actionNames()) {
      expect(missingFiles(join(tree, name))).toEqual([])
      expect(existsSync(join(tree, name, 'dist', '470.index.js'))).toBe(true)
    }
    expect(readdirSync(tree).sort()).toEqual(['.github', 'LICENSE', 'README.md', ...actionNames()].sort())
  })

  test('has no sources, and of the workflows those that others can call', () => {
    writeReleaseTree(tree, root)
    expect(readdirSync(join(tree, 'deploy-k8s')).sort()).toEqual(['action.yml', 'dist'])
    expect(readdirSync(join(tree, '.github/workflows')).sort()).toEqual(['deploy-k8s.yml', 'rollback.yml'])
  })

  test('has every action and input that its workflows use', () => {
    writeReleaseTree(tree, root)
    const faults = reusableWorkflows(root).flatMap(file =>
      stepsOf(join(tree, '.github/workflows', file)).flatMap(({ uses = '', with: given = {} }) => {
        const name = /^org\/deploy-actions\/([^@]+)@v1$/.exec(uses)?.[1]
        if (name === undefined) return []
        if (!existsSync(join(tree, name, 'action.yml'))) return [`${file}: ${uses} is not there`]
        const { inputs } = readActionFile(join(tree, name))
        const unknown = Object.keys(given).filter(input => !(input in inputs))
        const missing = Object.keys(inputs).filter(input => inputs[input]?.required === true && !(input in given))
        return [...unknown.map(input => `${file}: ${name} has no input ${input}`), ...missing.map(input => `${file}: ${input}`)]
      }),
    )
    expect(faults).toEqual([])
  })

  test('has pages whose links lead somewhere, and nowhere out of it', () => {
    write(
      'README.md',
      '[a](actions/deploy-k8s/README.md) [b](LICENSE) [c](bench/README.md#x) [d](https://example.com) [e](#there)\n',
    )
    write(
      'actions/deploy-k8s/README.md',
      '[a](../smoke-test/action.yml#L1) [b](../../src/runner) [c](../../README.md) [d](../../docs/a.md#b)\n',
    )
    write('docs/a.md', '[a](../actions/deploy-k8s/README.md) [b](../schemas/a.json) [c](../src/checks)\n')
    write('schemas/a.json', '{}')
    writeReleaseTree(tree, root)
    const page = (path: string): string => readFileSync(join(tree, path), 'utf8')
    expect(page('README.md')).toBe('[a](deploy-k8s/README.md) [b](LICENSE) c [d](https://example.com) [e](#there)\n')
    expect(page('deploy-k8s/README.md')).toBe('[a](../smoke-test/action.yml#L1) b [c](../README.md) [d](../docs/a.md#b)\n')
    expect(page('docs/a.md')).toBe('[a](../deploy-k8s/README.md) [b](../schemas/a.json) c\n')
  })

  test('is written anew over an older one, and leaves .git alone', () => {
    writeReleaseTree(tree, root)
    mkdirSync(join(tree, '.git'))
    writeFileSync(join(tree, 'deploy-k8s/dist/old.index.js'), '')
    writeReleaseTree(tree, root)
    expect(existsSync(join(tree, 'deploy-k8s/dist/old.index.js'))).toBe(false)
    expect(existsSync(join(tree, '.git'))).toBe(true)
  })

  test('is not written over anything else', () => {
    mkdirSync(tree)
    writeFileSync(join(tree, 'thesis.txt'), '')
    expect(() => writeReleaseTree(tree, root)).toThrow(/holds thesis\.txt, .*Give an empty folder/)
    expect(readdirSync(tree)).toEqual(['thesis.txt'])
  })

  test('is not written without a licence', () => {
    rmSync(join(root, 'LICENSE'))
    expect(() => writeReleaseTree(tree, root)).toThrow('there is no LICENSE in')
  })

  test('is not written before the build', () => {
    rmSync(join(root, 'actions/deploy-k8s/dist/post.js'))
    rmSync(join(root, 'actions/smoke-test/dist'), { recursive: true })
    expect(() => writeReleaseTree(tree, root)).toThrow('not built: deploy-k8s, smoke-test. Run: npm run build')
    expect(existsSync(tree)).toBe(false)
  })
})

interface Step {
  uses?: string
  with?: Record<string, unknown>
}

function stepsOf(path: string): Step[] {
  const { jobs } = parse(readFileSync(path, 'utf8')) as { jobs: Record<string, { steps?: Step[] }> }
  return Object.values(jobs).flatMap(job => job.steps ?? [])
}
