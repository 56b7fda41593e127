/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/httpc.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/why.h"

/* The functions of libcurl that we use; by name, because the library is not linked. */
struct curl_functions {
	__typeof__(curl_easy_init) *easy_init;
	__typeof__(curl_easy_cleanup) *easy_cleanup;
	CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
	__typeof__(curl_easy_perform) *easy_perform;
	CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
	__typeof__(curl_easy_strerror) *easy_strerror;
};

static int curl_load(struct curl_functions *ret_curl, struct pw_why *reterr_why)
{
	static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl-nss.so.4"};
	void *library = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names) && !library; i++)
		library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return pw_why_set(reterr_why, -ENOSYS, "libcurl is not installed: apt-get install libcurl4");
	/* Stays loaded: one call per process. dlsym returns void *, which POSIX says may be a function. */
	*(void **)&ret_curl->easy_init = dlsym(library, "curl_easy_init");
	*(void **)&ret_curl->easy_cleanup = dlsym(library, "curl_easy_cleanup");
	*(void **)&ret_curl->easy_setopt = dlsym(library, "curl_easy_setopt");
	*(void **)&ret_curl->easy_perform = dlsym(library, "curl_easy_perform");
	*(void **)&ret_curl->easy_getinfo = dlsym(library, "curl_easy_getinfo");
	*(void **)&ret_curl->easy_strerror = dlsym(library, "curl_easy_strerror");
	if (!ret_curl->easy_init || !ret_curl->easy_cleanup || !ret_curl->easy_setopt || !ret_curl->easy_perform ||
	    !ret_curl->easy_getinfo || !ret_curl->easy_strerror)
		return pw_why_set(reterr_why, -ENOSYS, "libcurl lacks a function: apt-get install libcurl4");
	return 0;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	/* Anything but the full size ends the transfer; the error is in the buffer. */
	return pw_buf_append(context, data, size * count) < 0 ? 0 : size * count;
}

/* libcurl says only "could not connect", so ask first: the errno is what tells the person what to do. */
static int check_socket(const char *path, struct pw_why *reterr_why)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return pw_why_set(reterr_why, -ENAMETOOLONG, "socket path '%s' is too long", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (!connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return 0;
	if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTSOCK)
		return pw_why_set(reterr_why, errno == ENOENT ? -ENOENT : -ECONNREFUSED,
				  "no daemon answers on '%s': start one with 'parkwatch daemon'", path);
	if (errno == EACCES)
		return pw_why_set(reterr_why, -EACCES, "'%s' is not open to you: use root or its group", path);
	return pw_why_set(reterr_why, -EIO, "cannot connect to '%s': %s", path, strerror(errno));
}

int pw_httpc_get_local(const char *socket_path, const char *path, uint64_t timeout_ns, struct pw_buf *body,
		       long *ret_status, struct pw_why *reterr_why)
{
	struct curl_functions curl = {0};
	char url[512];
	CURLcode code;
	CURL *easy;
	int r;

	r = check_socket(socket_path, reterr_why);
	if (r)
		return r;
	r = curl_load(&curl, reterr_why);
	if (r || !curl.easy_init)
		return r ? r : -ENOSYS;
	if (snprintf(url, sizeof(url), "http://localhost%s", path) >= (int)sizeof(url))
		return pw_why_set(reterr_why, -EINVAL, "path '%s' is too long", path);
	easy = curl.easy_init();
	if (!easy)
		return -ENOMEM;
	curl.easy_setopt(easy, CURLOPT_URL, url);
	curl.easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	curl.easy_setopt(easy, CURLOPT_PROXY, ""); /* not even if the environment names one */
	curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(timeout_ns / PW_NS_PER_MS));
	curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl.easy_setopt(easy, CURLOPT_WRITEDATA, body);
	code = curl.easy_perform(easy);
	if (code == CURLE_OK)
		curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, ret_status);
	else if (pw_buf_error(body))
		r = pw_why_set(reterr_why, pw_buf_error(body), "the answer of '%s' is too large", socket_path);
	else
		r = pw_why_set(reterr_why, code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO,
			       "the daemon behind '%s' does not answer: %s", socket_path, curl.easy_strerror(code));
	curl.easy_cleanup(easy);
	return r;
}
