// Elastic Load Balancing v2.
import type { Service } from '../service.ts'
import { loadBalancerHandlers } from './load-balancers.ts'
import { targetGroupHandlers } from './target-groups.ts'

export const elb: Service = {
  model: 'elbv2',
  invalid: 'ValidationError',
  handlers: { ...loadBalancerHandlers, ...targetGroupHandlers },
}
