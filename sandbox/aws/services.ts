// The services that the simulator has.
import { ecs } from './ecs/ecs.ts'
import type { Service } from './service.ts'

export const services: readonly Service[] = [ecs]
