// Failures that are known, with the reason: [end of the file's path, part of
// the test's name, reason]. They are counted as failures all the same.
export const KNOWN = [
  ["RTCDataChannel-iceRestart.html", "(harness)", "candidates of a new generation are added before the description that has their ufrag, and nobody looks at the rejection"],
  ["RTCDataChannel-send-blob-order.html", "(harness)", "the file gives two tests one name"],
  ["RTCConfiguration-iceServers.html", ":0000000000000000", "nothing can be sent to port 0"],
  ["RTCConfiguration-iceServers.html", "(&!$)*+-", "names with such characters are in no DNS"],
  ["RTCConfiguration-iceServers.html", "!\"$&'()*", "names with such characters are in no DNS"],
  ["RTCConfiguration-iceServers.html", "!\"$%&'()*", "a host that the URL standard forbids"],
  ["RTCConfiguration-iceServers.html", "valid url 192.168.257.com", "it has no scheme"],
  ["RTCConfiguration-iceServers.html", "example.net:  should", "the URL standard takes blanks off the end"],
  ["RTCConfiguration-iceServers.html", "192.0x00A80001", "the URL standard reads it as an IPv4 address"],
  ["RTCConfiguration-iceServers.html", "a\\b", "the URL standard reads it as a host and a path"],
  ["RTCDataChannel-bufferedAmount.html", "bufferedAmount should", "what is sent is counted until the peer has acknowledged it"],
  ["RTCDataChannel-bufferedAmount.html", "fires after each sent message", "the acknowledgement comes after the message, for which the test then waits in vain"],
  ["RTCDataChannel-bufferedAmount.html", "bufferedamount is data.length", "what is sent is counted until the peer has acknowledged it"],
  ["RTCPeerConnection-createDataChannel.html", "attribute default values", 'an older test: in the text of today binaryType is "arraybuffer" at first'],
  ["RTCPeerConnection-createDataChannel.html", "with provided parameters", 'an older test: in the text of today binaryType is "arraybuffer" at first'],
  ["RTCPeerConnection-createDataChannel.html", "maximum length label and protocol", "label and protocol together have room for 16,372 octets"],
  ["RTCPeerConnection-createDataChannel.html", "(after setRemoteDescription) should have id", "the number of a stream is chosen when the association is up"],
  ["RTCPeerConnection-createDataChannel.html", "negotiated via DCEP", "the number of a stream is chosen when the association is up"],
];
