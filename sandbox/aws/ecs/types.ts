// The types of the ECS API that handlers take, as the SDK's client has them.
export type {
  CapacityProviderStrategyItem,
  ContainerDefinition,
  CreateServiceRequest,
  CreateTaskSetRequest,
  DeploymentConfiguration,
  DeploymentLifecycleHook,
  LaunchType,
  LoadBalancer,
  NetworkConfiguration,
  RegisterTaskDefinitionRequest,
  RunTaskRequest,
  ServiceRegistry,
  Tag,
  TaskOverride,
  UpdateServiceRequest,
} from '@aws-sdk/client-ecs'

export type HookStatus = 'AWAITING_ACTION' | 'IN_PROGRESS' | 'SUCCEEDED' | 'FAILED' | 'TIMED_OUT'
