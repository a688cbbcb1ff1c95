import { describe, expect, test } from '@jest/globals'
import { evaluate } from '../../../sandbox/aws/cloudwatch/series.ts'
import { readAppSpec, shiftsOf } from '../../../sandbox/aws/codedeploy/app-spec.ts'
import { shiftsOf as nativeShifts } from '../../../sandbox/aws/ecs/blue-green.ts'
import { thresholdOf } from '../../../sandbox/aws/ecs/rollout.ts'
import { accepted } from '../../../sandbox/aws/elb/targets.ts'
import { matches } from '../../../sandbox/aws/protocol/pattern.ts'
import { checkScenario, scriptFor } from '../../../sandbox/aws/scenario.ts'

test.each([
  [1, 3],
  [6, 3],
  [10, 5],
  [11, 6],
  [1000, 200],
])('the breaker of %i tasks has the threshold %i', (desired, threshold) => expect(thresholdOf(desired)).toBe(threshold))

test.each([
  ['200', 200, true],
  ['200', 204, false],
  ['200,202', 202, true],
  ['200-399', 302, true],
  ['200-399', 503, false],
])('the matcher %s and %i: %s', (matcher, status, good) => expect(accepted(matcher, status)).toBe(good))

test.each([
  ['*', 'ecs:UpdateService', true],
  ['ecs:*', 'ecs:UpdateService', true],
  ['ecs:Describe*', 'ecs:DescribeTasks', true],
  ['ecs:Describe*', 'ecs:UpdateService', false],
  ['ecs:updateservice', 'ecs:UpdateService', true],
  ['ecs.UpdateService', 'ecs:UpdateService', false],
])('%s matches %s: %s', (pattern, action, good) => expect(matches(pattern, action)).toBe(good))

describe('which script a container has', () => {
  const table = { 'web:2': { oom: 1 }, 'org/web:2': { oom: 2 } }
  test.each([
    ['web:2', 'web:2'],
    ['registry.example/web:2', 'web:2'],
    ['registry.example/org/web:2', 'org/web:2'],
    ['web:22', undefined],
    ['otherweb:2', undefined],
  ])('%s has that of %s', (image, key) => expect(scriptFor(table, [image])?.key).toBe(key))

  test('a misspelt part of a scenario is refused', () => {
    expect(() => checkScenario({ image: {} } as object)).toThrow(/no image: it takes images/)
  })
})

describe('metric math', () => {
  const at = (...values: (number | undefined)[]) =>
    new Map(values.flatMap((value, index) => (value === undefined ? [] : [[index * 60, value] as const])))
  const known = new Map([
    ['a', at(1, 2, 4)],
    ['b', at(10, undefined, 5)],
  ])
  test.each([
    ['a * 100 / b', [10, 80]],
    ['a + 1', [2, 3, 5]],
    ['(a + 1) * 2', [4, 6, 10]],
    ['-a', [-1, -2, -4]],
    ['SUM(METRICS())', [11, 2, 9]],
    ['MAX(METRICS())', [10, 2, 5]],
    ['a - SUM(a)', [-6, -5, -3]],
    ['FILL(b, 0)', [10, 0, 5]],
    ['IF(a > 1, a, 0)', [0, 2, 4]],
    ['IF(a >= 2, 1)', [1, 1]],
  ])('%s', (expression, values) => expect([...evaluate(expression, known).values()]).toEqual(values))

  test.each(['a +', 'c', 'a b', '(a', 'NOPE(a)'])('%s is refused', expression => {
    expect(() => evaluate(expression, known)).toThrow(/Invalid syntax/)
  })
})

describe('traffic shifts', () => {
  test.each([
    ['CodeDeployDefault.ECSAllAtOnce', [100], 0],
    ['CodeDeployDefault.ECSCanary10Percent5Minutes', [10, 100], 5],
    ['CodeDeployDefault.ECSLinear10PercentEvery3Minutes', [10, 20, 30, 40, 50, 60, 70, 80, 90, 100], 3],
  ])('%s', (name, percents, minutes) => expect(shiftsOf(name)).toEqual({ percents, minutes }))

  test.each([
    [{ strategy: 'BLUE_GREEN' as const }, [100], 0],
    [{ strategy: 'CANARY' as const, canaryConfiguration: { canaryPercent: 20, canaryBakeTimeInMinutes: 2 } }, [20, 100], 2],
    [{ strategy: 'LINEAR' as const, linearConfiguration: { stepPercent: 40, stepBakeTimeInMinutes: 1 } }, [40, 80, 100], 1],
  ])('%j', (configuration, percents, minutes) => expect(nativeShifts(configuration)).toEqual({ percents, minutes }))
})

describe('AppSpec', () => {
  const properties = { TaskDefinition: 'arn:td', LoadBalancerInfo: { ContainerName: 'web', ContainerPort: 80 } }
  const file = (Properties: object, more: object = {}) => ({
    version: 0.0,
    Resources: [{ TargetService: { Type: 'AWS::ECS::Service', Properties } }],
    ...more,
  })

  test('is read from JSON and YAML, hooks included', () => {
    const hooks = { Hooks: [{ BeforeInstall: 'one' }, { AfterAllowTraffic: 'two' }] }
    const spec = {
      taskDefinition: 'arn:td',
      containerName: 'web',
      containerPort: 80,
      hooks: { BeforeInstall: 'one', AfterAllowTraffic: 'two' },
    }
    expect(readAppSpec(JSON.stringify(file(properties, hooks)))).toMatchObject(spec)
    const yaml =
      'version: 0.0\nResources:\n  - TargetService:\n      Properties:\n        TaskDefinition: arn:td\n        LoadBalancerInfo: {ContainerName: web, ContainerPort: 80}\n'
    expect(readAppSpec(yaml)).toMatchObject({ ...spec, hooks: {} })
  })

  test.each([
    ['', /empty/],
    ['{', /cannot be parsed/],
    ['{"version": 0}', /no target service/],
    [JSON.stringify(file({ TaskDefinition: 'x' })), /LoadBalancerInfo/],
    [JSON.stringify(file({ LoadBalancerInfo: { ContainerName: 'web' } })), /no TaskDefinition/],
  ])('%s is none', (text, fault) => expect(readAppSpec(text)).toMatch(fault))
})
