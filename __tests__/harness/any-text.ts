// Any text for property tests: every code point there is, with as many from ASCII (line ends, control characters, marks) as from all the rest.
import fc from 'fast-check'

/** As `fc.string({ unit: 'binary' })`, which takes a second to set up in each test file. */
export function anyText(maxLength = 100): fc.Arbitrary<string> {
  const beyond = fc.integer({ min: 0x80, max: 0x10_ff_ff }).filter(point => point < 0xd8_00 || point > 0xdf_ff)
  const point = fc.oneof(fc.integer({ min: 0, max: 0x7f }), beyond)
  return fc.array(point, { maxLength }).map(points => String.fromCodePoint(...points))
}
