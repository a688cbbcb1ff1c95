// Inputs as the runner hands them over: what each kind takes, what it refuses and in which words.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { ExpectedFailure } from '../../src/runner/failure.ts'
import {
  boolean,
  choice,
  duration,
  InputFault,
  type InputSpecs,
  inputSecrets,
  inputVariable,
  integer,
  list,
  readInputs,
  text,
  unknownInputs,
} from '../../src/runner/inputs.ts'
import { inputVariable as runnersInputVariable } from '../harness/runner-protocol.ts'

const word = (entry: string): string => {
  if (!/^\w+$/.test(entry)) throw new InputFault(`"${entry}" is no word.`)
  return entry.toUpperCase()
}

const specs = {
  app: text(),
  target: text({ required: true }),
  'set image': text({ default: 'none' }),
  port: text({ parse: raw => (raw === '' ? undefined : Number(raw)) }),
  words: list({ each: word }),
  lines: list({ default: 'a' }),
  'dry-run': boolean({ default: 'false' }),
  timeout: duration({ default: '10m', atLeast: '1s' }),
  'on-failure': choice(['rollback', 'keep'], { default: 'rollback' }),
  consecutive: integer({ default: '1', min: 1, max: 20 }),
}

const read = (given: Record<string, string>) =>
  readInputs(specs, Object.fromEntries(Object.entries({ target: 'k8s', ...given }).map(([k, v]) => [inputVariable(k), v])))

const faultsOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(ExpectedFailure)
    expect((error as ExpectedFailure).reason).toBe('InvalidInput')
    return (error as ExpectedFailure).message
  }
  throw new Error('nothing was thrown')
}

test('defaults where nothing is given', () => {
  expect(read({})).toEqual({
    app: '',
    target: 'k8s',
    'set image': 'none',
    port: undefined,
    words: [],
    lines: ['a'],
    'dry-run': false,
    timeout: 600_000,
    'on-failure': 'rollback',
    consecutive: 1,
  })
})

describe('values that are taken', () => {
  test.each<[string, string, unknown]>([
    ['app', '  web \n', 'web'],
    ['app', '', ''],
    ['app', 'ümlaut ✓', 'ümlaut ✓'],
    ['set image', ' ', 'none'],
    ['port', '8080', 8_080],
    ['words', 'a\n\n  b  \r\n# no\nc', ['A', 'B', 'C']],
    ['lines', '# only a comment', []],
    ['lines', 'a # b', ['a # b']],
    ['dry-run', 'true', true],
    ['dry-run', 'True', true],
    ['dry-run', 'TRUE', true],
    ['dry-run', 'false', false],
    ['dry-run', 'FALSE', false],
    ['timeout', '1s', 1_000],
    ['timeout', '24h', 86_400_000],
    ['on-failure', 'keep', 'keep'],
    ['consecutive', '20', 20],
    ['consecutive', '007', 7],
  ])('%s: %j is %j', (name, given, value) => {
    expect(read({ [name]: given })[name as keyof typeof specs]).toEqual(value)
  })
})

describe('values that are refused', () => {
  test.each<[string, string, string]>([
    ['target', ' ', 'target: is required and was not given.'],
    ['words', 'a-b', 'words: "a-b" is no word.'],
    ['words', 'a-b\nok\nc d', 'words: "a-b" is no word; "c d" is no word.'],
    ['dry-run', 'yes', 'dry-run: "yes" is neither true nor false.'],
    ['dry-run', 'on', 'dry-run: "on" is neither true nor false.'],
    ['dry-run', 'tRUE', 'dry-run: "tRUE" is neither true nor false.'],
    ['dry-run', '1', 'dry-run: "1" is neither true nor false.'],
    ['timeout', '10', 'timeout: "10" is no duration; write it like 90s, 10m or 1h30m (24h at most).'],
    ['timeout', '25h', 'timeout: "25h" is no duration; write it like 90s, 10m or 1h30m (24h at most).'],
    ['timeout', '0s', 'timeout: "0s" is less than the 1s it must have at least.'],
    ['on-failure', 'Keep', 'on-failure: "Keep" is none of rollback, keep; did you mean keep?'],
    ['on-failure', 'nothing', 'on-failure: "nothing" is none of rollback, keep.'],
    ['consecutive', '0', 'consecutive: "0" is no whole number from 1 to 20.'],
    ['consecutive', '21', 'consecutive: "21" is no whole number from 1 to 20.'],
    ['consecutive', '-1', 'consecutive: "-1" is no whole number from 1 to 20.'],
    ['consecutive', '1.5', 'consecutive: "1.5" is no whole number from 1 to 20.'],
    ['consecutive', '1e1', 'consecutive: "1e1" is no whole number from 1 to 20.'],
  ])('%s: %j', (name, given, fault) => {
    expect(faultsOf(() => read({ [name]: given }))).toMatch(
      new RegExp(`^One input is wrong; nothing was changed. ${fault.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\.?$`),
    )
  })
})

test('all faults of all inputs are told at once, in the order of their declaration', () => {
  expect(faultsOf(() => read({ consecutive: 'x', timeout: 'soon', target: '', words: 'a b\nc d' }))).toBe(
    '4 inputs are wrong; nothing was changed. target: is required and was not given. words: "a b" is no word; "c d" is no word. ' +
      'timeout: "soon" is no duration; write it like 90s, 10m or 1h30m (24h at most). consecutive: "x" is no whole number from 1 to 20.',
  )
})

test('faults of several inputs together are looked for only once each by itself is right', () => {
  const both = { a: text(), b: text({ required: true }) }
  const check = () => ['a and b exclude each other', 'c: is not there.']
  expect(faultsOf(() => readInputs(both, {}, check))).toBe(
    'One input is wrong; nothing was changed. b: is required and was not given.',
  )
  expect(faultsOf(() => readInputs(both, { INPUT_B: 'x' }, check))).toBe(
    '2 inputs are wrong; nothing was changed. a and b exclude each other. c: is not there.',
  )
})

test('an error that is no fault of the input goes through as it is', () => {
  const broken = {
    a: text({
      parse: () => {
        throw new TypeError('a bug')
      },
    }),
  }
  expect(() => readInputs(broken, {})).toThrow(TypeError)
})

describe('inputs that are promised and not there yet', () => {
  const given = (value: string): NodeJS.ProcessEnv => ({ [inputVariable('sign')]: value })
  test('are refused, not passed over', () => {
    expect(() => readInputs({}, given('cosign'), () => [], ['sign'])).toThrow(/sign: is planned and not there yet/)
    expect(unknownInputs({}, given('cosign'), ['sign'])).toEqual([])
  })
  test.each(['', 'none', 'false'])('but not when they ask for nothing: %j', value => {
    expect(readInputs({}, given(value), () => [], ['sign'])).toEqual({})
  })
})

describe('unknown inputs are passed over with a warning', () => {
  test.each([
    ['timeuot', 'The input "timeuot" is not known and was passed over; did you mean "timeout"?'],
    ['DRY_RUN', 'The input "dry_run" is not known and was passed over; did you mean "dry-run"?'],
    ['frobnicate', 'The input "frobnicate" is not known and was passed over'],
  ])('%s', (name, warning) => {
    expect(unknownInputs(specs, { [inputVariable(name)]: 'x' })).toEqual([warning])
  })

  test('but not when empty, and not when known', () => {
    expect(unknownInputs(specs, { INPUT_TIMEUOT: '', INPUT_TIMEOUT: '2m' })).toEqual([])
  })
})

describe('secrets', () => {
  const withSecrets: InputSpecs = {
    password: text({ secret: true }),
    header: list({ secret: raw => [...raw.matchAll(/: (.*)/g)].map(match => match[1] ?? '') }),
    kubeconfig: text({
      secret: raw => {
        if (raw !== '' && !raw.startsWith('apiVersion')) throw new InputFault('is no kubeconfig')
        return raw === '' ? [] : ['token']
      },
    }),
    open: text(),
  }
  test.each<[Record<string, string>, string[]]>([
    [{}, []],
    [{ INPUT_PASSWORD: ' hunter2 ' }, ['hunter2']],
    [{ INPUT_HEADER: 'A: one\nB: two', INPUT_OPEN: 'open' }, ['one', 'two']],
    [{ INPUT_KUBECONFIG: 'apiVersion: v1' }, ['token']],
    [{ INPUT_KUBECONFIG: 'c2VjcmV0' }, ['c2VjcmV0']],
  ])('%j has %j', (env, secrets) => {
    expect(inputSecrets(withSecrets, env)).toEqual(secrets)
  })
})

test('the variable of an input is the one the runner sets', () => {
  expect(inputVariable('set image')).toBe('INPUT_SET_IMAGE')
  expect(inputVariable('on-failure')).toBe('INPUT_ON-FAILURE')
  fc.assert(fc.property(fc.string(), name => inputVariable(name) === runnersInputVariable(name)))
})
