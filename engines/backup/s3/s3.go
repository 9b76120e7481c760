// Package s3 keeps backups in a bucket of anything that speaks S3.
//
// A name appears in the bucket when the whole upload has been accepted: large ones go in parts that are thrown away when one fails. The files are
// encrypted and authenticated by themselves, so that the bucket is trusted with nothing but keeping them. The credentials are read from their
// files for each use, which lets them rotate; the SDK keeps them in strings.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Config says where the bucket is.
type Config struct {
	Endpoint      string // https://host:port
	Bucket        string
	Prefix        string // of the keys, such as "trstctl/"; may be empty
	Region        string
	AccessKeyFile string
	SecretKeyFile string
	HTTP          *http.Client // dials what the operator allows, and follows no redirect
}

// Bucket is a backup.Target.
type Bucket struct {
	cfg    Config
	client *s3.Client
}

// New makes a target. It connects to nothing yet.
func New(cfg Config) *Bucket {
	return &Bucket{cfg, s3.New(s3.Options{
		BaseEndpoint: aws.String(cfg.Endpoint), Region: cfg.Region, UsePathStyle: true, HTTPClient: cfg.HTTP, Credentials: aws.CredentialsProviderFunc(cfg.credentials),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})}
}

func (c Config) credentials(context.Context) (aws.Credentials, error) {
	access, err := line(c.AccessKeyFile)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("backup.s3.access_key_file: %w", err)
	}
	secret, err := line(c.SecretKeyFile)
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("backup.s3.secret_key_file: %w", err)
	}
	return aws.Credentials{AccessKeyID: access, SecretAccessKey: secret, Source: "files"}, nil
}

func line(path string) (string, error) {
	b, err := os.ReadFile(path)
	defer clear(b)
	return strings.TrimSpace(string(b)), err
}

func (b *Bucket) key(name string) *string { return aws.String(b.cfg.Prefix + name) }

// Put implements backup.Target.
func (b *Bucket) Put(ctx context.Context, name string, write func(io.Writer) error) (uint64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	c := &counter{w: w}
	written := make(chan error, 1)
	go func() {
		err := write(c)
		w.CloseWithError(err) // an upload whose source has failed is not completed
		written <- err
	}()
	_, err := manager.NewUploader(b.client).Upload(ctx, &s3.PutObjectInput{Bucket: aws.String(b.cfg.Bucket), Key: b.key(name), Body: r})
	r.CloseWithError(errors.New("the upload has ended"))
	if failed := <-written; failed != nil && err == nil {
		err = failed
	}
	if err != nil {
		return 0, fmt.Errorf("upload %s to bucket %s: %w", name, b.cfg.Bucket, err)
	}
	return c.n, nil
}

type counter struct {
	w io.Writer
	n uint64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += uint64(n)
	return n, err
}

// Open implements backup.Target.
func (b *Bucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	out, err := b.client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(b.cfg.Bucket), Key: b.key(name)})
	if err != nil {
		return nil, fmt.Errorf("get %s from bucket %s: %w", name, b.cfg.Bucket, err)
	}
	return out.Body, nil
}

// List implements backup.Target.
func (b *Bucket) List(ctx context.Context, prefix string) (names []string, err error) {
	pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: aws.String(b.cfg.Bucket), Prefix: b.key(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list bucket %s: %w", b.cfg.Bucket, err)
		}
		for _, o := range page.Contents {
			names = append(names, strings.TrimPrefix(aws.ToString(o.Key), b.cfg.Prefix))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Remove implements backup.Target.
func (b *Bucket) Remove(ctx context.Context, name string) error {
	_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(b.cfg.Bucket), Key: b.key(name)})
	if err != nil {
		return fmt.Errorf("remove %s from bucket %s: %w", name, b.cfg.Bucket, err)
	}
	return nil
}
