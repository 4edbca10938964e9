// #region docs
import { connect } from 'nestjs-emissions/client'; // no dependencies; the socket is yours
import { io } from 'socket.io-client';

export function follow(url: string, token: string, show: (text: string) => void) {
  const socket = io(url, { auth: { token } });
  const channel = connect(socket).channel('event/message.written');
  channel.on(({ payload }) => show((payload as { text: string }).text));
  channel.onGap(() => show('(something is missing: load the page anew)'));
  return { ready: channel.ready, close: () => socket.close() };
}
// #endregion
