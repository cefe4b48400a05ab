# The front door. `make help` lists what there is.

.PHONY: build
build:
	@test -f build/build.ninja || meson setup build >/dev/null
	@ninja -C build
