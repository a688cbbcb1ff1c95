// Tells the sandbox's Prometheus what to scrape: one file for each target, which it sees at once.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeWhole } from '../state.ts'

/**
 * Has `host:port` scraped under these labels. The function returned ends it.
 * @param folder PROMETHEUS_TARGETS of the sandbox
 * @param name of the file, and so of the target among others'
 */
export function scrape(folder: string, name: string, target: string, labels: Readonly<Record<string, string>>): () => void {
  const path = join(folder, `${name}.json`)
  writeWhole(path, JSON.stringify([{ targets: [target], labels }]))
  return () => rmSync(path, { force: true })
}
