// Progress lines: who, what, and how many seconds since the start.
const started = Date.now()

export function seconds(): number {
  return (Date.now() - started) / 1000
}

/** Prints one line to stderr, so that stdout stays free for what scripts read. */
export function say(part: string, text: string): void {
  process.stderr.write(`[${seconds().toFixed(1).padStart(6)} s] ${part}: ${text}\n`)
}

/** Awaits `work`, saying every `every` milliseconds that it is still going. `text` is asked anew each time. */
export async function withSignOfLife<T>(part: string, text: () => string, work: Promise<T>, every = 10_000): Promise<T> {
  const timer = setInterval(() => say(part, text()), every)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}

export const sleep = (milliseconds: number): Promise<void> => new Promise(resolve => setTimeout(resolve, milliseconds))
