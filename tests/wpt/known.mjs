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
  ["RTCPeerConnection-createDataChannel.html", "attribute default values", 'an older test: in the text of today binaryType is "arraybuffer" at first'],
  ["RTCPeerConnection-createDataChannel.html", "with provided parameters", 'an older test: in the text of today binaryType is "arraybuffer" at first'],
];
