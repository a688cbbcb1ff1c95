// What CloudWatch Logs keeps in one region.
import type { Region } from '../world.ts'

export interface LogEvent {
  readonly timestamp: number
  readonly ingestionTime: number
  readonly message: string
  readonly id: string
}

export interface LogGroup {
  readonly name: string
  readonly createdAt: number
  retention: number | undefined
  readonly tags: Map<string, string>
  /** By stream, in order of time. */
  readonly streams: Map<string, { createdAt: number; events: LogEvent[] }>
}

export class Logs {
  readonly region: Region
  readonly groups = new Map<string, LogGroup>()

  constructor(region: Region) {
    this.region = region
  }

  create(name: string): LogGroup {
    const made: LogGroup = {
      name,
      createdAt: this.region.world.now() * 1000,
      retention: undefined,
      tags: new Map(),
      streams: new Map(),
    }
    this.groups.set(name, made)
    return made
  }

  /** Lines of a container, as the awslogs driver writes them. */
  write(group: LogGroup, stream: string, lines: readonly string[], timestamp = this.region.world.now() * 1000): void {
    const known = group.streams.get(stream) ?? { createdAt: timestamp, events: [] }
    group.streams.set(stream, known)
    for (const message of lines) {
      const id = String(known.events.length).padStart(56, '3')
      known.events.push({
        timestamp: Math.round(timestamp),
        ingestionTime: Math.round(this.region.world.now() * 1000),
        message,
        id,
      })
    }
  }
}
