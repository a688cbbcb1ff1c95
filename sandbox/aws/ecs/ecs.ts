// Amazon ECS.
import type { Service } from '../service.ts'
import { clusterHandlers } from './clusters.ts'
import { serviceDeploymentHandlers } from './service-deployments.ts'
import { serviceHandlers } from './services.ts'
import { tagHandlers } from './tags.ts'
import { taskDefinitionHandlers } from './task-definitions.ts'
import { taskSetHandlers } from './task-sets.ts'
import { taskHandlers } from './tasks.ts'

export const ecs: Service = {
  model: 'ecs',
  invalid: 'InvalidParameterException',
  handlers: {
    ...clusterHandlers,
    ...taskDefinitionHandlers,
    ...serviceHandlers,
    ...serviceDeploymentHandlers,
    ...taskSetHandlers,
    ...taskHandlers,
    ...tagHandlers,
  },
}
