// Names that say that their values are for nobody to see.

/** Of a header, of a part of a URL's query, of a container's variable. */
export const SECRET_NAME = /auth|cookie|token|key|secret|passw|pwd|session|signature|^sig$|credential|jwt/i
