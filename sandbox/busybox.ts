// Debian's static busybox: one file that runs in an image made of nothing else.
import type { Requirement } from './packages.ts'

export const busybox = '/bin/busybox'
export const busyboxRequirement: Requirement = { provides: busybox, package: 'busybox-static' }
