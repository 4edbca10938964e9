/** A socket of socket.io-client (4), as far as it is used; yours to make and to close. */
export interface ClientSocket {
  readonly connected: boolean;
  on(event: string, listener: (...args: any[]) => void): unknown;
  off(event: string, listener: (...args: any[]) => void): unknown;
  emit(event: string, ...args: any[]): unknown;
}
