/** Claims of one token, not of its caller: not part of the key, unless it names them. */
export const TOKEN_CLAIMS = ['exp', 'iat', 'nbf', 'jti', 'auth_time', 'at_hash', 'c_hash', 'nonce', 'sid'];
