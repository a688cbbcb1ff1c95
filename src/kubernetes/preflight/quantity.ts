// Kubernetes quantities: `500m`, `1Gi`, `2e3`. Source: Kubernetes documentation, API reference, Quantity.

const FACTORS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/** The number a quantity stands for; undefined for what is none. */
export function parseQuantity(quantity: unknown): number | undefined {
  if (typeof quantity === 'number') return Number.isFinite(quantity) ? quantity : undefined
  if (typeof quantity !== 'string' || quantity.length > 40) return undefined
  const match = /^([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$/.exec(quantity.trim())
  if (match === null) return undefined
  const [, digits = '', exponent, suffix = ''] = match
  if (exponent !== undefined) return Number(`${digits}${exponent}`)
  return Number(digits) * (FACTORS[suffix] ?? 1)
}

/** Amounts of several resources: `cpu` in cores, `memory` in bytes. */
export type Amounts = Readonly<Record<string, number>>

export function readAmounts(list: unknown): Amounts {
  if (typeof list !== 'object' || list === null) return {}
  const entries = Object.entries(list).map(([resource, quantity]) => [resource, parseQuantity(quantity)] as const)
  return Object.fromEntries(entries.filter((entry): entry is readonly [string, number] => entry[1] !== undefined))
}

export function plus(a: Amounts, b: Amounts): Amounts {
  return combined(a, b, (x, y) => x + y)
}

/** The larger of the two, resource by resource. */
export function atLeast(a: Amounts, b: Amounts): Amounts {
  return combined(a, b, Math.max)
}

export function times(a: Amounts, factor: number): Amounts {
  return Object.fromEntries(Object.entries(a).map(([resource, amount]) => [resource, amount * factor]))
}

function combined(a: Amounts, b: Amounts, combine: (x: number, y: number) => number): Amounts {
  const resources = new Set([...Object.keys(a), ...Object.keys(b)])
  return Object.fromEntries([...resources].map(resource => [resource, combine(a[resource] ?? 0, b[resource] ?? 0)]))
}

/** True where `a` is larger than `b` by more than the rounding of sums of fractions. */
export function exceeds(a: number, b: number): boolean {
  return a - b > 1e-9 * Math.max(1, Math.abs(a), Math.abs(b))
}

/** `250m`, `1.5Gi`, `3`: as a person would write the amount. */
export function formatAmount(resource: string, amount: number): string {
  const isBytes = /(memory|storage|hugepages-)/.test(resource)
  if (isBytes) {
    for (const unit of ['Ti', 'Gi', 'Mi', 'Ki']) {
      const factor = FACTORS[unit] ?? 1
      if (Math.abs(amount) >= factor) return `${round(amount / factor)}${unit}`
    }
    return String(round(amount))
  }
  if (/cpu$/.test(resource) && !Number.isInteger(amount)) return `${round(amount * 1_000)}m`
  return String(round(amount))
}

function round(amount: number): number {
  return Math.round(amount * 100) / 100
}
