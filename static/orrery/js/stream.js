// ClusterStream: the one socket. It resumes where it was, acknowledges what has been drawn, and never gives up.
//
// The server keeps two frames in flight and folds the rest, so the ack after the drawing is what paces it. A hidden tab
// draws nothing, acks nothing and costs nothing; `visible` tells the server not to mistake that for a hang.

const FIRST_PAUSE = 400;
const LONGEST_PAUSE = 8000;

export class ClusterStream {
  /** `onFrame(frame)` is called for each frame; call `drawn(seq)` once it is on the screen. */
  constructor(url, onFrame, onState) {
    Object.assign(this, { url, onFrame, onState, epoch: null, seq: -1, pause: FIRST_PAUSE, socket: null, over: false });
    document.addEventListener('visibilitychange', () => this.drawn(this.seq));
    this.open();
  }

  open() {
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => {
      this.pause = FIRST_PAUSE;
      this.onState(true);
      socket.send(JSON.stringify({ resume: this.epoch === null ? null : { epoch: this.epoch, seq: this.seq } }));
    };
    socket.onmessage = ({ data }) => this.take(JSON.parse(data));
    socket.onclose = () => {
      if (this.over || this.socket !== socket) return;
      this.onState(false);
      setTimeout(() => this.open(), this.pause * (0.6 + Math.random() * 0.4));
      this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
    };
  }

  take(frame) {
    this.epoch = frame.epoch;
    this.seq = frame.seq;
    if (frame.type === 'gone') this.over = true;
    this.onFrame(frame);
  }

  /** Everything up to `seq` is on the screen. */
  drawn(seq) {
    if (this.socket.readyState === WebSocket.OPEN && seq >= 0) {
      this.socket.send(JSON.stringify({ ack: seq, visible: !document.hidden }));
    }
  }
}
