/** Every bound of the protocol, with its unit at the end of its name. `docs/limits.md` says why each has its value. */
export const limits = {
  /** Smallest and largest chunk, plaintext; a power of two between them. */
  chunkBytesMin: 4096,
  chunkBytesMax: 1_048_576,
  /** The top bit of a chunk index marks a leaf page. */
  chunksMax: 2_147_483_647,
  /** A collection's index. */
  indexBytesMax: 268_435_456,
  /** Files, folders and links of a collection. */
  collectionEntriesMax: 1_000_000,
  /** A path in a collection, or a link's target, UTF-8; and each part of a path. */
  collectionPathBytesMax: 2048,
  pathPartBytesMax: 255,
  /** Symbols of one code block (RFC 5052 §9.1). */
  blockSymbolsMax: 128,
  /** A control packet, so that it passes any IPv6 path. */
  controlPacketBytesMax: 1200,
  /** Leaves that ride in a grant. */
  grantLeavesMax: 16,
  /** A name in a grant or ticket, UTF-8. */
  nameBytesMax: 255,
  /** A list of what an exposer has. */
  listBytesMax: 1_048_576,
  /** A ticket as text. */
  ticketCharsMax: 2048,
  /** Addresses in a ticket. */
  ticketAddressesMax: 8,
  /** Announced exposures that are listed. */
  announcedExposuresMax: 1000,
  /** Sources that one pull asks. */
  pullSourcesMax: 8,
  /** What one request may ask for; `requestBytesLanMax` for chunks over 256 KiB, and who shows that it receives where no rate has a ceiling. */
  requestBytesMax: 262_144,
  requestBytesLanMax: 1_048_576,
  /** Request numbers that an exposer remembers for a live token. */
  requestWindow: 64,
  /** A token's life, and how long its soft state is kept after the last request. */
  tokenLifeMsMax: 600_000,
  tokenIdleMsMax: 20_000,
  /** Live tokens whose state an exposer keeps at once. */
  liveTokensMax: 4096,
  /** A receipt is good for this long. */
  receiptAgeMsMax: 6000,
  /** What an address gets whose receipts are stale, or that receives under a tenth of what is sent. */
  floorBytesPerSecond: 65_536,
  /** Answers waiting for their turn. */
  answerQueueBytesMax: 8_388_608,
  tokenQueueBytesMax: 2_097_152,
  answerQueueEntriesMax: 4096,
  /** What a token, and all of them together, make an exposer read and seal beyond what their pulling earns: a rate, and at once. */
  coldBytesPerSecond: 1_048_576,
  coldBurstBytesMax: 8_388_608,
  coldTotalBytesPerSecond: 67_108_864,
  coldTotalBurstBytesMax: 268_435_456,
  /** Shared memory: segments that an exposer keeps for others, and how long after the last was asked for; how long a puller waits. */
  shareSegmentsMax: 256,
  shareIdleMsMax: 10_000,
  shareAnswerMsMax: 1000,
  /** Memory that an exposer may have for sealed chunks: not less than this. */
  memoryBytesMin: 16_777_216,
  /** Threads beside the main one that seal the chunks of one exposure, or open them, the jobs that each may have, how much makes them pay, and how much of a file is lent to the one that hashes it. */
  sealThreadsMax: 2,
  openThreadsMax: 1,
  crewJobsMax: 64,
  crewBytesMin: 134_217_728,
  lentBytesMax: 2_097_152,
  /** Handshakes waiting for their turn, and the rate above which a first message must carry a RETRY cookie. */
  handshakeQueueMax: 64,
  handshakesPerSecondBeforeRetry: 200,
  /** What strangers get of an exposer's time while others pull, where the system keeps apart what they send; those who are let in; and how long none is read. */
  strangersTimePercent: 5,
  newcomersTimePercent: 25,
  strangersRestMsMax: 500,
  /** First messages of several fragments that an exposer puts together at once, and for how long it keeps one, with its answer. */
  handshakeFragmentedMax: 64,
  handshakeFragmentsMsMax: 2000,
  /** A passphrase: characters at least, and bytes of UTF-8 at most. */
  passphraseCharactersMin: 8,
  passphraseBytesMax: 1024,
  /** Wrong guesses at a passphrase: so many at once, then one in each interval; from one network, and from all together. */
  guessesAtOnceMax: 5,
  guessIntervalMs: 60_000,
  guessesTotalAtOnceMax: 50,
  guessTotalIntervalMs: 10_000,
  guessNetworksMax: 1024,
  /** One refusal to an address in this time. */
  refusalIntervalMs: 100,
  /** Cookie keys rotate and die; RETRY cookies live for one or two epochs. */
  cookieKeyRotateMs: 30_000,
  cookieKeyLifeMs: 60_000,
  retryEpochMs: 10_000,
  /** An idle puller keeps its NAT binding, and what the exposer knows of it. */
  keepaliveIntervalMs: 9000,
  /** The configuration of a service; its ports, and exposures on each. */
  serviceConfigBytesMax: 1_048_576,
  servicePortsMax: 64,
  serviceExposuresMax: 1000,
  /** Blocks of which a group is to get more symbols, and those of which its sender knows what it has sent. */
  groupRepairsMax: 16_384,
  groupBlocksMax: 65_536,
  /** A receiver that hears nothing of its group pulls by itself; one that is not heard of has no vote. */
  groupSilenceMsMax: 3000,
  /** A payload between nodes (RNP): its bytes, maps and lists inside each other, and values in all. */
  rnpPayloadBytesMax: 16_777_216,
  rnpDepthMax: 32,
  rnpValuesMax: 65_536,
  /** The same before the peer has greeted. */
  rnpGreetingBytesMax: 65_536,
  /** Payloads of more bytes are compressed when that helps. */
  rnpCompressBytesMin: 1024,
  /** Texts that stand in every message. */
  nodeIdCharsMax: 63,
  rnpTypeCharsMax: 64,
  rnpChannelCharsMax: 64,
  /** Channels that a node remembers of one peer, and links in a pool. */
  rnpChannelsMax: 256,
  rnpSlotsMax: 64,
  /** How far a message's timestamp may be from the receiver's clock. */
  rnpClockSkewMsMax: 300_000,
  /** Message IDs of one peer that are remembered at least, so that a replay is known; twice as many at most. */
  rnpSeenIdsMax: 16_384,
  /** What may be on its way to a peer without acknowledgement: at first, and at most. */
  rnpWindowBytesMin: 65_536,
  rnpWindowBytesMax: 16_777_216,
  /** What waits for its turn: from here on a sender is asked to slow down, and here it is refused. */
  rnpQueueHighBytesMax: 262_144,
  rnpQueueBytesMax: 67_108_864,
  /** What a connection is given before it has written it: all else waits where it can still be counted, and put in order. */
  rnpUnwrittenBytesMax: 98_304,
  /** Memory of large messages that is kept for the next ones. */
  rnpSpareBytesMax: 33_554_432,
  /** Acknowledgements wait for others to go with: so long, and for so much. */
  rnpAckDelayMs: 10,
  rnpAckBytesMax: 32_768,
  /** From the first byte of a connection to the end of the greeting; and a frame that has begun, beside the time for its bytes. */
  rnpGreetingMsMax: 10_000,
  rnpFrameMsMax: 10_000,
  rnpFrameBytesPerSecond: 65_536,
  /** A link that hears nothing asks, and waits so long for an answer. */
  rnpKeepaliveMs: 60_000,
  rnpKeepaliveAnswerMsMax: 10_000,
  /** A link that carries no messages is closed. */
  rnpIdleMsMax: 300_000,
  /** Between GOODBYE and the end of the connection. */
  rnpGoodbyeMsMax: 5000,
  /** Links of a node; those whose peers have not greeted yet; and other nodes that it remembers. */
  rnpConnectionsMax: 1000,
  rnpGreetingsMax: 64,
  rnpPeersMax: 10_000,
  /** Requests to one peer that wait for an answer. */
  rnpRequestsMax: 65_536,
  /** Room that was asked for and in which nothing was started. */
  fleetReservationMs: 60_000,
  /** Instances of a node, and arguments and variables of one in bytes. */
  fleetInstancesMax: 1000,
  fleetPlanBytesMax: 65_536,
  /** A file of a cluster that is larger travels as an exposure; one that is not, in parts. */
  fleetSmallFileBytesMax: 8_388_608,
  fleetFileChunkBytesMax: 1_048_576,
  /** Its path, and its copies. */
  fleetPathBytesMax: 1024,
  fleetCopiesMax: 16,
  /** Files that one peer may be sending at once. */
  fleetArrivalsMax: 64,
  /** How long a node has for an answer to its controller, or a controller for one to whoever asks. */
  fleetAnswerMsMax: 45_000,
  /** Rows of a list in one message. */
  fleetRowsMax: 1000,
} as const;
