// What every entry of the package exports.
export { RTCPeerConnection } from "./peer-connection.js";
export type {
  PeerConnectionOptions, RTCAnswerOptions, RTCIceConnectionState, RTCIceGatheringState, RTCOfferOptions,
  RTCPeerConnectionState, RTCSignalingState,
} from "./peer-connection.js";
export { RTCDataChannel } from "./data-channel.js";
export type { BinaryType, RTCDataChannelInit, RTCDataChannelState, RTCPriorityType } from "./data-channel.js";
export { RTCSessionDescription } from "./descriptions.js";
export type { RTCLocalSessionDescriptionInit, RTCSdpType, RTCSessionDescriptionInit } from "./descriptions.js";
export { RTCIceCandidate } from "./ice-candidate.js";
export type {
  RTCIceCandidateInit, RTCIceCandidateType, RTCIceComponent, RTCIceProtocol, RTCIceServerTransportProtocol,
  RTCIceTcpCandidateType,
} from "./ice-candidate.js";
export { RTCCertificate } from "./certificate.js";
export type { RTCDtlsFingerprint } from "./certificate.js";
export type {
  RTCBundlePolicy, RTCConfiguration, RTCIceServer, RTCIceTransportPolicy, RTCRtcpMuxPolicy,
} from "./configuration.js";
export { RTCError } from "./errors.js";
export type { RTCErrorDetailType, RTCErrorInit } from "./errors.js";
export { RTCDataChannelEvent, RTCErrorEvent, RTCPeerConnectionIceErrorEvent, RTCPeerConnectionIceEvent } from "./events.js";
export { RTCDtlsTransport, RTCIceCandidatePair, RTCIceTransport, RTCSctpTransport } from "./layers.js";
export type { RTCDtlsTransportState, RTCIceParameters, RTCIceRole, RTCIceTransportState, RTCSctpTransportState } from "./layers.js";
export { RTCStatsReport } from "./stats.js";
export type { RTCStats } from "./stats.js";
export { setDefaultTransport } from "./transport.js";
export type { Address, Protocol, Stream, StreamSink, StreamTarget, Transport, TransportFactory, TransportSink } from "./transport.js";
export { Relay } from "./relay.js";
export type { ByteStream, RelayOptions } from "./relay.js";
