// notify-socket.node: one datagram to the service manager. Node has no datagram sockets of the Unix kind.
//
//   send(path: string, text: string): number    0, or the errno of what went wrong
//
// Nothing is kept between calls and nothing waits: a manager that is slow to read is told again later.
#include <errno.h>
#include <node_api.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_TEXT = 4096 };

static int send_datagram(const char* path, size_t path_length, const char* text, size_t text_length) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (path_length == 0 || path_length >= sizeof address.sun_path) return ENAMETOOLONG;
  memcpy(address.sun_path, path, path_length);
  // systemd writes the zero octet that begins an abstract name as '@'.
  if (path[0] == '@') address.sun_path[0] = '\0';
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_length);
  ssize_t sent = sendto(fd, text, text_length, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr*)&address, length);
  int fault = sent < 0 ? errno : 0;
  close(fd);
  return fault;
}

static napi_value send_notification(napi_env env, napi_callback_info info) {
  size_t count = 2, path_length, text_length;
  napi_value words[2], result;
  char path[sizeof((struct sockaddr_un*)0)->sun_path + 1], text[MAX_TEXT];
  if (napi_get_cb_info(env, info, &count, words, NULL, NULL) != napi_ok || count != 2 ||
      napi_get_value_string_utf8(env, words[0], path, sizeof path, &path_length) != napi_ok ||
      napi_get_value_string_utf8(env, words[1], text, sizeof text, &text_length) != napi_ok) {
    napi_throw_type_error(env, NULL, "send(path, text): two strings are wanted");
    return NULL;
  }
  if (napi_create_int32(env, send_datagram(path, path_length, text, text_length), &result) != napi_ok) return NULL;
  return result;
}

NAPI_MODULE_INIT() {
  napi_value send;
  if (napi_create_function(env, "send", NAPI_AUTO_LENGTH, send_notification, NULL, &send) != napi_ok ||
      napi_set_named_property(env, exports, "send", send) != napi_ok) {
    napi_throw_error(env, NULL, "notify-socket cannot be set up");
  }
  return exports;
}
