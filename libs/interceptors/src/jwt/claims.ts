/** The claims of a token (RFC 7519). This library checks `iss`, `aud`, `exp` and `nbf`. */
export interface Claims {
  readonly iss?: string;
  /** Who the token is for: `system:serviceaccount:default:client`. */
  readonly sub?: string;
  readonly aud?: string | string[];
  /** In seconds since 1970. */
  readonly exp?: number;
  readonly nbf?: number;
  readonly iat?: number;
  readonly jti?: string;
  readonly [claim: string]: unknown;
}
