// Headers of a change that may be sent again: done once, answered as often as it is asked (docs/protocol.md).

/** `INSTANCE:RANDOM`; the instance that it was first sent to. */
export const REQUEST_ID_HEADER = "x-request-id";
/** Its answer was lost: this is not the first time. */
export const REQUEST_RETRY_HEADER = "x-request-retry";
