// AWS CodeDeploy, of ECS services alone.
import type { Service } from '../service.ts'
import { deploymentHandlers } from './deployments.ts'
import { groupHandlers } from './groups.ts'

export const codedeploy: Service = {
  model: 'codedeploy',
  invalid: 'InvalidInputException',
  handlers: { ...groupHandlers, ...deploymentHandlers },
}
