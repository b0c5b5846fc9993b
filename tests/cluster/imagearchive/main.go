// Command imagearchive puts layers and a configuration together to a container image, in an archive that containerd,
// Docker, Podman and kind load.
//
// Layers are tar files, compressed or not. The same layers and configuration give the same image, to the last byte.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

func main() {
	output := flag.String("output", "", "the archive")
	tag := flag.String("tag", "", "repository and tag")
	architecture := flag.String("architecture", "", "the processor's, as Go names it")
	config := flag.String("config", "{}", "the container's, in JSON as the OCI image specification has it")
	flag.Parse()
	if err := write(*output, *tag, *architecture, *config, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(output, tag, architecture, config string, layers []string) error {
	reference, err := name.NewTag(tag, name.StrictValidation)
	if err != nil {
		return err
	}
	image := empty.Image
	for _, path := range layers {
		layer, err := tarball.LayerFromFile(path)
		if err != nil {
			return fmt.Errorf("layer %s: %w", path, err)
		}
		if image, err = mutate.AppendLayers(image, layer); err != nil {
			return fmt.Errorf("layer %s: %w", path, err)
		}
	}
	file, err := image.ConfigFile()
	if err != nil {
		return err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created, file.Config = "linux", architecture, v1.Time{Time: time.Unix(0, 0).UTC()}, v1.Config{}
	if err := json.Unmarshal([]byte(config), &file.Config); err != nil {
		return fmt.Errorf("the configuration %s: %w", config, err)
	}
	if image, err = mutate.ConfigFile(image, file); err != nil {
		return err
	}
	return tarball.WriteToFile(output, reference, image)
}
