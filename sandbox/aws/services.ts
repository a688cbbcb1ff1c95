// The services that the simulator has.
import { autoscaling } from './autoscaling/autoscaling.ts'
import { cloudwatch } from './cloudwatch/cloudwatch.ts'
import { codedeploy } from './codedeploy/codedeploy.ts'
import { ecr } from './ecr/ecr.ts'
import { ecs } from './ecs/ecs.ts'
import { elb } from './elb/elb.ts'
import { iam } from './iam/iam.ts'
import { logs } from './logs/logs.ts'
import { rds } from './rds/rds.ts'
import { secretsmanager } from './secrets/secrets.ts'
import { ssm } from './secrets/ssm.ts'
import type { Service } from './service.ts'
import { sts } from './sts/sts.ts'

export const services: readonly Service[] = [
  ecs,
  ecr,
  elb,
  cloudwatch,
  logs,
  autoscaling,
  codedeploy,
  rds,
  sts,
  iam,
  secretsmanager,
  ssm,
]
