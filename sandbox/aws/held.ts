// Connections that get no answer because a scenario says so, by the port of who asks: whoever steps a clock must not wait for these.
export const held = new Set<number>()
