/** The one door to the server: typed calls, tokens, problems and idempotency keys. */
export type { components, paths } from './schema';
export type * from './models';
export { api, call } from './client';
export { ApiError, describeError, fieldErrors, isPassing, retryDelayMs, shouldRetry } from './problems';
export type { Problem } from './problems';
export { newKey, useIntentKey } from './idempotency';
export {
  currentToken, endSession, getSession, refreshSession, retrySession, signIn, register, signOut, startSession, subscribeSession,
  updateSessionUser, useSession, useUser,
} from './session';
export type { Session } from './session';
