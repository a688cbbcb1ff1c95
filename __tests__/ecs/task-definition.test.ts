import { mkdtemp, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import {
  type Definition,
  describeDifference,
  differences,
  diffOf,
  essentialOf,
  type Overrides,
  registrable,
  withOverrides,
} from '../../src/ecs/task-definition.ts'
import { parseDefinition, readDefinitionFile } from '../../src/ecs/task-definition-file.ts'

const NOTHING: Overrides = { images: [], environment: [], secrets: [], logOptions: [], commands: [], cpu: '', memory: '' }
const app = { name: 'app', image: 'web:1' }
const definition = (container: object = {}, more: object = {}): Definition =>
  ({
    family: 'web',
    containerDefinitions: [
      { ...app, ...container },
      { name: 'proxy', image: 'envoy:1' },
    ],
    ...more,
  }) as Definition

describe('means the same', () => {
  test.each<[string, Definition, Definition]>([
    [
      'what ECS fills in',
      definition(),
      definition({
        cpu: 0,
        essential: true,
        environment: [],
        mountPoints: [],
        volumesFrom: [],
        portMappings: [],
        systemControls: [],
      }),
    ],
    [
      'variables in another order',
      definition({
        environment: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
        ],
      }),
      definition({
        environment: [
          { name: 'B', value: '2' },
          { name: 'A', value: '1' },
        ],
      }),
    ],
    [
      'ports with their defaults',
      definition({ portMappings: [{ containerPort: 80 }] }, { networkMode: 'awsvpc' }),
      definition({ portMappings: [{ containerPort: 80, hostPort: 80, protocol: 'tcp' }] }, { networkMode: 'awsvpc' }),
    ],
    [
      'a bridge, said or not',
      definition({ portMappings: [{ containerPort: 80 }] }),
      definition({ portMappings: [{ containerPort: 80, hostPort: 0 }] }, { networkMode: 'bridge' }),
    ],
    [
      'a health check with its defaults',
      definition({ healthCheck: { command: ['CMD', 'x'] } }),
      definition({ healthCheck: { command: ['CMD', 'x'], interval: 30, timeout: 5, retries: 3 } }),
    ],
    ['sizes in words', definition({}, { cpu: '1 vCPU', memory: '2GB' }), definition({}, { cpu: '1024', memory: '2048' })],
    [
      'containers in another order',
      definition(),
      { ...definition(), containerDefinitions: definition().containerDefinitions?.toReversed() },
    ],
    [
      'what is false by default',
      definition(),
      definition({ readonlyRootFilesystem: false, privileged: false }, { enableFaultInjection: false }),
    ],
  ])('%s', (_, a, b) => {
    expect(differences(a, b)).toEqual([])
  })
})

describe('differs', () => {
  test.each<[string, object, object, string]>([
    ['an image', {}, { image: 'web:2' }, 'image app: web:1 -> web:2'],
    ['an empty variable from none', {}, { environment: [{ name: 'A', value: '' }] }, 'environment.A app: none -> ""'],
    ['an essential container', {}, { essential: false }, 'essential app: true -> false'],
    ['a command', { command: ['a', 'b'] }, { command: ['a b'] }, 'command app: ["a","b"] -> ["a b"]'],
    [
      'a host port',
      { portMappings: [{ containerPort: 80 }] },
      { portMappings: [{ containerPort: 80, hostPort: 8080 }] },
      'portMappings.80/tcp.hostPort app: none -> 8080',
    ],
    ['a secret', {}, { secrets: [{ name: 'A', valueFrom: 'arn:x' }] }, 'secrets.A app: none -> arn:x'],
  ])('%s', (_, a, b, says) => {
    expect(differences(definition(a), definition(b)).map(describeDifference)).toEqual([says])
  })
  const said = (before: object, after: object): readonly string[] => {
    const found = differences(definition(before), definition(after))
    return [...found.map(describeDifference), diffOf(found)]
  }
  test.each<[string, object, object, string, string]>([
    ['that changed', { API_KEY: 'old' }, { API_KEY: 'new' }, '*** -> ***', '- {}: ***\n+ {}: ***'],
    ['that is new', {}, { API_KEY: 'new' }, 'none -> ***', '+ {}: ***'],
    ['that is gone', { API_KEY: 'old' }, {}, '*** -> none', '- {}: ***'],
  ])('a variable %s, not what it is where its name says that it is secret', (_, before, after, plan, diff) => {
    const of = (variables: object) => ({ environment: Object.entries(variables).map(([name, value]) => ({ name, value })) })
    const path = 'containers.app.environment.API_KEY'
    expect(said(of(before), of(after))).toEqual([`environment.API_KEY app: ${plan}`, diff.replaceAll('{}', path)])
  })
  test('an option of a log driver, not what it is where its name says that it is secret', () => {
    const of = (token: string) => ({ logConfiguration: { logDriver: 'splunk', options: { 'splunk-token': token } } })
    expect(said(of('old'), of('new'))[0]).toBe('logConfiguration.options.splunk-token app: *** -> ***')
  })
  test('where a secret is kept, and a variable whose name says nothing of a secret', () => {
    const before = { environment: [{ name: 'LEVEL', value: 'info' }], secrets: [{ name: 'TOKEN', valueFrom: 'arn:1' }] }
    const after = { environment: [{ name: 'LEVEL', value: 'debug' }], secrets: [{ name: 'TOKEN', valueFrom: 'arn:2' }] }
    expect(said(before, after).slice(0, 2)).toEqual(['environment.LEVEL app: info -> debug', 'secrets.TOKEN app: arn:1 -> arn:2'])
  })
  test('a container that is new, or gone', () => {
    const alone = { ...definition(), containerDefinitions: [app] }
    expect(differences(definition(), alone).length).toBeGreaterThan(0)
    expect(differences(alone, definition()).map(describeDifference)).toContain('image proxy: none -> envoy:1')
  })
})

describe('inputs', () => {
  test.each<[string, Partial<Overrides>, object, object]>([
    ['an image by container', { images: [{ container: 'app', reference: 'web:2' }] }, {}, { image: 'web:2' }],
    [
      'an empty variable',
      { environment: [{ container: 'app', name: 'A', value: '' }] },
      {},
      { environment: [{ name: 'A', value: '' }] },
    ],
    [
      'a variable that was a secret',
      { environment: [{ container: 'app', name: 'A', value: '1' }] },
      { secrets: [{ name: 'A', valueFrom: 'arn:x' }] },
      { environment: [{ name: 'A', value: '1' }], secrets: [] },
    ],
    [
      'a secret that was a variable',
      { secrets: [{ container: 'app', name: 'A', value: 'arn:x' }] },
      { environment: [{ name: 'A', value: '1' }] },
      { environment: [], secrets: [{ name: 'A', valueFrom: 'arn:x' }] },
    ],
    [
      'a command, kept as an array',
      { commands: [{ container: 'app', words: ['sh', '-c', 'a b'] }] },
      { command: ['x'] },
      { command: ['sh', '-c', 'a b'] },
    ],
    [
      'a log option',
      { logOptions: [{ container: 'app', name: 'awslogs-group', value: 'x' }] },
      { logConfiguration: { logDriver: 'awslogs', options: { mode: 'y' } } },
      { logConfiguration: { logDriver: 'awslogs', options: { mode: 'y', 'awslogs-group': 'x' } } },
    ],
    ['nothing: an empty list stays one', {}, { command: [], environment: [] }, { command: [], environment: [] }],
  ])('%s', (_, more, before, after) => {
    expect(withOverrides(definition(before), { ...NOTHING, ...more }).containerDefinitions?.[0]).toEqual({ ...app, ...after })
  })
  test('name all containers that are not there, and those that are', () => {
    const wrong = { ...NOTHING, images: [{ container: 'ap', reference: 'x:1' }], commands: [{ container: 'db', words: ['x'] }] }
    expect(() => withOverrides(definition(), wrong)).toThrow(
      /images: there is no container ap, did you mean app\?; command: there is no container db\. The task definition web has app, proxy\. Nothing was changed\./,
    )
  })
  test('log options need a log driver', () => {
    expect(() => withOverrides(definition(), { ...NOTHING, logOptions: [{ container: 'app', name: 'a', value: 'b' }] })).toThrow(
      /has no logConfiguration/,
    )
  })
})

test('what ECS alone can say is not registered again', () => {
  const answered = {
    ...definition(),
    taskDefinitionArn: 'arn:x',
    revision: 7,
    status: 'ACTIVE' as const,
    requiresAttributes: [],
    registeredBy: 'arn:y',
  }
  expect(registrable(answered)).toEqual(definition())
})

test('containers whose end ends the task', () => {
  expect(essentialOf(definition({ essential: false }))).toEqual(new Set(['proxy']))
})

describe('a file', () => {
  const good = {
    family: 'web',
    containerDefinitions: [{ name: 'app', image: 'web:1', environment: [{ name: 'PORT', value: 8080 }] }],
    cpu: 256,
  }
  test.each<[string, string]>([
    ['JSON', JSON.stringify(good)],
    ['JSON as the AWS CLI prints it', JSON.stringify({ taskDefinition: { ...good, revision: 7, status: 'ACTIVE' }, tags: [] })],
    [
      'YAML',
      '# web\nfamily: web\ncpu: 256\ncontainerDefinitions:\n  - name: app\n    image: web:1\n    environment:\n      - { name: PORT, value: 8080 }\n',
    ],
    ['JSON with tabs', JSON.stringify(good, undefined, '\t')],
  ])('%s', async (_, text) => {
    const { definition: read } = await parseDefinition(text, 'ecs.json')
    expect(read).toEqual({
      family: 'web',
      cpu: '256',
      containerDefinitions: [{ name: 'app', image: 'web:1', environment: [{ name: 'PORT', value: '8080' }] }],
    })
  })

  test.each<[string, string, RegExp, number | undefined]>([
    [
      'a comma too few',
      '{\n  "family": "web"\n  "containerDefinitions": []\n}',
      /^task-definition: ecs\.json:3:\d+: .*\. Nothing was changed\.$/,
      3,
    ],
    ['an end too soon', '{\n  "family": "web",', /ecs\.json:2/, 2],
    ['a list', '[]', /it holds no task definition/, undefined],
    ['nothing', '', /it holds no task definition/, undefined],
    ['no family', '{"containerDefinitions":[{"name":"a","image":"b"}]}', /it has no family/, 1],
    ['no containers', '{"family":"a","containerDefinitions":[]}', /it has no containerDefinitions/, 1],
    [
      'a misspelt field',
      '{"family":"a",\n"containerDefinition":[]}',
      /ECS knows no field "containerDefinition"; did you mean containerDefinitions\?/,
      2,
    ],
    ["CloudFormation's names", 'Family: a\nContainerDefinitions: []', /"Family"; did you mean family\?/, 1],
    [
      'a misspelt field of a container',
      '{"family":"a","containerDefinitions":[{"name":"a","image":"b",\n"enviroment":[]}]}',
      /"enviroment" of a container; did you mean environment\?/,
      2,
    ],
    ['a container without an image', '{"family":"a","containerDefinitions":[\n{"name":"a"}]}', /container a has no image/, 2],
  ])('with %s is refused at its place', async (_, text, message, line) => {
    const error = await parseDefinition(text, 'ecs.json').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ reason: 'InvalidInput', message: expect.stringMatching(message) })
    expect((error as { at?: { line?: number } }).at?.line).toBe(line)
  })

  test('outside of the workspace is not read', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ecs-file-'))
    const other = await mkdtemp(join(tmpdir(), 'ecs-other-'))
    await writeFile(join(other, 'a.json'), JSON.stringify(good))
    await symlink(join(other, 'a.json'), join(folder, 'link.json'))
    await expect(readDefinitionFile('link.json', folder)).rejects.toThrow(/lies outside of the workspace/)
    await expect(readDefinitionFile(`../${other.split('/').at(-1)}/a.json`, folder)).rejects.toThrow(/lies outside/)
    await expect(readDefinitionFile('none.json', folder)).rejects.toThrow(/"none.json" does not exist in the workspace/)
  })
})
