/*
 * The least that serving over UDP costs: messages of as many segments as the kernel takes at once, sent from as much memory as is sent, so
 * that no cache helps. The receiver takes them together, as the kernel hands them over, and lets the sender know now and then; nothing is looked at or kept.
 * With the bytes of a header, each segment's header comes from a place of its own, as an exposer's: what the kernel takes for that form.
 *
 *   gso SEGMENT SEGMENTS BYTES [HEADER]     prints: CPU seconds of the sender, CPU seconds of the receiver, wall seconds, bytes that came
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* Messages that may be under way, and how many of them make one answer: less than the receive buffer holds. */
enum { WINDOW = 64, ANSWER_EVERY = 16, BUFFER_BYTES = 16 << 20, MESSAGE_BYTES = 65535, SEGMENTS_MAX = 64 };

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }

static double cpu(int who) {
  struct rusage usage;
  getrusage(who, &usage);
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void check(int isRight, const char *what) {
  if (isRight) return;
  perror(what);
  exit(1);
}

/* A socket of loopback whose receives end when nothing has come for a while. */
static int openSocket(struct sockaddr_in *at) {
  int fd = socket(AF_INET, SOCK_DGRAM, 0);
  check(fd >= 0, "socket");
  *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof *at;
  check(bind(fd, (struct sockaddr *)at, length) == 0, "bind");
  check(getsockname(fd, (struct sockaddr *)at, &length) == 0, "getsockname");
  int size = BUFFER_BYTES;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  struct timeval patience = {.tv_usec = 200000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return fd;
}

/* Takes `total` bytes, and writes to `report` how many came. */
static void receive(int fd, struct sockaddr_in from, long total, long answerEvery, int report) {
  static char message[MESSAGE_BYTES];
  int on = 1;
  setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
  check(connect(fd, (struct sockaddr *)&from, sizeof from) == 0, "connect");
  long came = 0, sinceAnswer = 0;
  while (came < total) {
    ssize_t length = recv(fd, message, sizeof message, 0);
    if (length < 0) break;
    came += length;
    sinceAnswer += length;
    for (; sinceAnswer >= answerEvery; sinceAnswer -= answerEvery) send(fd, "", 1, 0);
  }
  check(write(report, &came, sizeof came) == sizeof came, "write");
}

/* Sends a message whose segments each begin with a header from elsewhere. */
static ssize_t sendSplit(int fd, char *bytes, int segment, int segments, int header) {
  static char headers[MESSAGE_BYTES];
  static struct iovec parts[2 * SEGMENTS_MAX];
  for (int i = 0; i < segments; i++) {
    parts[2 * i] = (struct iovec){headers + i * header, header};
    parts[2 * i + 1] = (struct iovec){bytes + i * segment + header, segment - header};
  }
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2 * segments};
  return sendmsg(fd, &message, 0);
}

int main(int count, char **words) {
  if (count != 4 && count != 5) return 2;
  int header = count == 5 ? atoi(words[4]) : 0;
  int segment = atoi(words[1]), length = segment * atoi(words[2]);
  long messages = (atol(words[3]) + length - 1) / length;
  struct sockaddr_in sender, receiver;
  int out = openSocket(&sender), in = openSocket(&receiver), report[2];
  check(pipe(report) == 0, "pipe");
  char answer[1], *bytes = malloc(messages * length);
  check(bytes != NULL, "malloc");
  memset(bytes, 1, messages * length);
  pid_t child = fork();
  check(child >= 0, "fork");
  if (child == 0) {
    receive(in, sender, messages * length, (long)ANSWER_EVERY * length, report[1]);
    return 0;
  }
  double before = cpu(RUSAGE_SELF);
  check(setsockopt(out, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) == 0, "UDP_SEGMENT");
  check(connect(out, (struct sockaddr *)&receiver, sizeof receiver) == 0, "connect");
  double started = now();
  long underWay = 0;
  for (long i = 0; i < messages; i++) {
    char *message = bytes + i * length;
    ssize_t sent = header == 0 ? send(out, message, length, 0) : sendSplit(out, message, segment, length / segment, header);
    check(sent == length, "send");
    /* Without an answer for a while all that is under way counts as lost. */
    if (++underWay >= WINDOW) underWay = recv(out, answer, 1, 0) == 1 ? underWay - ANSWER_EVERY : 0;
  }
  double own = cpu(RUSAGE_SELF) - before;
  long came = 0;
  check(read(report[0], &came, sizeof came) == sizeof came, "read");
  double wall = now() - started;
  waitpid(child, NULL, 0);
  printf("%f %f %f %ld\n", own, cpu(RUSAGE_CHILDREN), wall, came);
  return 0;
}
