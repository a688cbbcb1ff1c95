// What is to come of a service that was changed, told to the watch as soon as the change was made.
import type { Service } from '@aws-sdk/client-ecs'
import { primaryOf } from './judge/service-deployment.ts'
import type { Expectation } from './judge/snapshot.ts'
import type { Revision } from './live-service.ts'
import type { Passage } from './passage.ts'
import type { ServiceWatch } from './service-watch.ts'
import { shiftWaitsMs } from './shift-waits.ts'
import { essentialOf, imagesOf } from './task-definition.ts'

/** Tells the watch what is to come of a service: `deployment` is the one that was begun, empty where none was. */
export function expectOf(
  watch: ServiceWatch,
  passage: Passage,
  revision: Revision,
  service: Service,
  since: number,
  deployment: string,
  more: Partial<Expectation> = {},
  deploymentArn = passage.deploymentArnBefore,
): void {
  // One that is under way is waited for, whoever began it. ECS's own rollback shifts at once.
  const underWay = deployment !== '' || primaryOf({ service })?.rolloutState === 'IN_PROGRESS'
  const expected: Expectation = {
    taskDefinition: revision.arn,
    deployment,
    deploymentBefore: passage.deploymentBefore,
    since,
    digests: passage.digests,
    images: imagesOf(revision.definition),
    essential: essentialOf(revision.definition),
    rollsBack: false,
    waitsMs: underWay && more.rollsBack !== true ? shiftWaitsMs(service.deploymentConfiguration) : 0,
    ...more,
  }
  watch.expect(passage.name, expected, service, { deploymentArn })
}
